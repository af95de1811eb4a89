#!/usr/bin/env bash
# Lints the whole workspace, tests included, for Apple Silicon, and links the helper for both Mac architectures.
# Linking is a check too: zig carries the list of libSystem's symbols, so a name that macOS does not have is an error.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
"$scripts/darwin/setup.sh"
. "$scripts/darwin/env.sh"
cd "$root"
build_screens
darwin() { JOULEBAR_DARWIN_TARGET=$1 "$scripts/darwin/darwin-cargo" "${@:2}"; }

step "lints, aarch64-apple-darwin"
darwin aarch64-apple-darwin clippy --locked --quiet --workspace --all-targets -- -D warnings
for target in aarch64-apple-darwin x86_64-apple-darwin; do
    step "linking the helper as it is shipped, $target"
    darwin $target build --locked --quiet --profile helper -p joulebar-helper --bin joulebar-helper
    check_helper_size "$(darwin_target_dir)/$target/helper/joulebar-helper"
done
say "the workspace type-checks for macOS"
