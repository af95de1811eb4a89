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

# what is compiled in depends on two variables of the build; one that is wrong must end the build
names=$(mktemp -d)
trap 'rm -rf "$names"' EXIT
identity() {
    JOULEBAR_TEAM_ID=$1 JOULEBAR_CERT_KIND=$2 rustc --edition 2024 --test -o "$names/identity" crates/wire/src/identity.rs \
        2>"$names/errors" && "$names/identity" --quiet >"$names/output" 2>&1
}
for build in "ABCDE12345 developer_id" "ABCDE12345 development" " developer_id" " "; do
    if identity "${build% *}" "${build#* }"; then
        echo "ok - names and requirements of a build with team '${build% *}', certificate '${build#* }'"
    else
        cat "$names/errors" "$names/output" >&2
        echo "not ok - names and requirements of a build with team '${build% *}', certificate '${build#* }'"
    fi
done
for build in "abcde12345 developer_id" 'A"or(true) developer_id' "ABCDE12345 anything"; do
    if identity "${build% *}" "${build#* }"; then
        echo "not ok - a build with team '${build% *}', certificate '${build#* }' is refused"
    elif ! grep -q 'error.*evaluation panicked: JOULEBAR_' "$names/errors"; then
        cat "$names/errors" >&2
        echo "not ok - a build with team '${build% *}', certificate '${build#* }' is refused for its name"
    else
        echo "ok - a build with team '${build% *}', certificate '${build#* }' is refused"
    fi
done
cargo test --locked -p joulebar-helper --test release -- --show-output
