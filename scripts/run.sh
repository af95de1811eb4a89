#!/usr/bin/env bash
# Builds Joulebar and measures the default suite once; writes joulebar-report.json in the current directory and nothing
# anywhere else: a trial has no place in a user's history, unless --history asks for it.
# The build says nothing unless it fails: the first line is the one that tells LM Studio from the demo.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
log=$root/target/run-build.log
mkdir -p "$root/target"
[[ ! -t 2 ]] || say "building (the first time takes a few minutes; log: $log)"
"$scripts/build.sh" release >"$log" 2>&1 || { cat "$log" >&2; fail "the build failed; its log is $log"; }
exec "$root/target/release/joulebar" bench --source auto --no-history --output joulebar-report.json "$@"
