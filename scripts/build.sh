#!/usr/bin/env bash
# Builds the programs side by side: joulebar, joulebar-sim, joulebar-helper, joulebar-helper-simulated.
#   scripts/build.sh [release|debug]     default: release, in target/release
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_rust
profile=()
[[ ${1:-release} != release ]] || profile=(--release)
quiet=()
[[ -t 2 && -z ${CI:-} ]] || quiet=(--quiet)
cd "$root"
build() { cargo build --locked ${profile[@]+"${profile[@]}"} ${quiet[@]+"${quiet[@]}"} "$@"; }
# Two steps on purpose: one step would give the real helper the feature that lets it run another program.
build -p joulebar-helper --features simulator --bin joulebar-helper-simulated
build -p joulebar-cli -p joulebar-sim -p joulebar-helper
# the app carries its screens: JOULEBAR_APP=1 builds both
if [[ -n ${JOULEBAR_APP:-} ]]; then
    build_screens
    build -p joulebar-app --features custom-protocol
fi
