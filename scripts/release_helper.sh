#!/usr/bin/env bash
# The helper as it is shipped (profile `helper`), on this system: built, its size checked, and the tests that walk all
# messages and arguments run against it. Prints "ok - what" for each, and what cargo prints.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_rust
cd "$root"
cargo build --locked --quiet --profile helper -p joulebar-helper --bin joulebar-helper
JOULEBAR_RELEASE_HELPER=${CARGO_TARGET_DIR:-$root/target}/helper/joulebar-helper
export JOULEBAR_RELEASE_HELPER
check_helper_size "$JOULEBAR_RELEASE_HELPER"
echo "ok - the shipped helper is smaller than 1 MB"
cargo test --locked -p joulebar-helper --test release -- --show-output
