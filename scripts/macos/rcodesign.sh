#!/usr/bin/env bash
# Prints the path of rcodesign, which signs for macOS on any machine; compiles it into the cache the first time.
# A tool of the build: nothing of it is in the product. A debug build is as good here, and compiles in half the time.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
version=0.29.0
place=$cache/rcodesign-$version
if [[ ! -x $place/bin/rcodesign ]]; then
    need_rust
    say "compiling rcodesign $version into $place"
    building=$(mktemp -d "$cache/rcodesign.XXXXXX")
    trap 'rm -rf "$building"' EXIT
    CARGO_PROFILE_DEV_DEBUG=false CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$building/target \
        cargo install apple-codesign --version "=$version" --locked --debug --no-default-features --bin rcodesign \
        --root "$building/root" --quiet >&2
    mkdir -p "$place/bin"
    mv -f "$building/root/bin/rcodesign" "$place/bin/rcodesign"
fi
printf '%s\n' "$place/bin/rcodesign"
