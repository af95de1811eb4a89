#!/usr/bin/env bash
# Benchmarks. What they measured, and on which machine, is in docs/performance.md.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_python
"$scripts/build.sh" release
cd "$root"
cargo bench --locked --workspace --bench '*' "$@"
[[ ! -f scripts/bench_plistlib.py ]] || python3 scripts/bench_plistlib.py
scripts/bench_app.sh
