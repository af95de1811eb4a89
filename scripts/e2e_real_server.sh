#!/usr/bin/env bash
# End to end against a model and a server that are not ours: SmolLM2 on llama.cpp. Prints "ok - ..." / "not ok - ..." lines.
# Wants the programs in target/debug (scripts/build.sh debug).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
case $(uname -sm) in
    "Linux x86_64" | "Linux aarch64" | "Darwin arm64") ;;
    *) echo "ok - real server # SKIP no pinned server for $(uname -sm)"; exit 0 ;;
esac
"$scripts/llm_server.sh" --install
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
export JOULEBAR_DATA=$directory/data JOULEBAR_CONFIG=$directory/config
python3 "$scripts/e2e_real_server.py" --joulebar "${CARGO_TARGET_DIR:-$root/target}/debug/joulebar" --directory "$directory" "$@"
