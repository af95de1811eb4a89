#!/usr/bin/env bash
# Lints the workspace for both Mac architectures, tests included for Apple Silicon, and links the helper for both.
# Linking is a check too: zig carries the list of libSystem's symbols, so a name that macOS does not have is an error.
# Last, how many lines only macOS compiles, and whether each file of them says what was checked of it.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
"$scripts/darwin/setup.sh"
. "$scripts/darwin/env.sh"
need_python
cd "$root"
build_screens
darwin() { JOULEBAR_DARWIN_TARGET=$1 "$scripts/darwin/darwin-cargo" "${@:2}"; }

step "lints, aarch64-apple-darwin"
darwin aarch64-apple-darwin clippy --locked --quiet --workspace --all-targets -- -D warnings
step "lints, x86_64-apple-darwin"
darwin x86_64-apple-darwin clippy --locked --quiet --workspace -- -D warnings
for target in aarch64-apple-darwin x86_64-apple-darwin; do
    step "linking the helper as it is shipped, $target"
    darwin $target build --locked --quiet --profile helper -p joulebar-helper --bin joulebar-helper
    check_helper_size "$(darwin_target_dir)/$target/helper/joulebar-helper"
done
step "lines that only macOS compiles"
"$scripts/macos/count_lines" >&2
say "the workspace type-checks for macOS"
