#!/usr/bin/env bash
# End to end in the real app: its tray over D-Bus, its window over WebDriver, on a private display.
# Prints "ok - ..." / "not ok - ..." lines. Wants the programs and the app in target/debug (JOULEBAR_APP=1 scripts/build.sh debug).
#   JOULEBAR_LLM_SERVER  address of a real model server; without it the pass against one counts as skipped
set -euo pipefail
. "$(dirname "$0")/lib.sh"
if [[ $(uname) != Linux ]]; then
    echo "ok - the app on a desktop # SKIP a private display and a tray over D-Bus are Linux's"
    exit 0
fi
env=$(need_desktop)
target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target/screenshots"
"$env/bin/python" "$scripts/e2e_desktop.py" --programs "$target/debug" --screenshots "$target/screenshots" \
    ${JOULEBAR_LLM_SERVER:+--server "$JOULEBAR_LLM_SERVER"} "$@"
