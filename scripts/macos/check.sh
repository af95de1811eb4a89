#!/usr/bin/env bash
# The bundle for macOS as a part of the tests: builds it and says "ok" or "not ok" for each thing looked at in it.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
"$scripts/macos/bundle.sh" >&2
"$scripts/macos/inspect"
