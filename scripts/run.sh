#!/usr/bin/env bash
# Builds Joulebar and measures the default suite once; writes joulebar-report.json in the current directory.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
say "building (the first time takes a few minutes)"
"$scripts/build.sh" release
exec "$root/target/release/joulebar" bench --source auto --output joulebar-report.json "$@"
