#!/usr/bin/env bash
# Lets clients that we did not write judge the simulated LM Studio: OpenAI's Python package and llm-lmstudio, pinned, in a
# virtual environment in the cache. Prints one "ok - ..." or "not ok - ..." line for each check; fails if one failed.
#   JOULEBAR_SIM   the simulator [target/debug/joulebar-sim, built if missing]
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
cd "$root"

env=$(python_env clients "$scripts/clients/clients.txt") || fail "the clients could not be installed"
if [[ -z ${JOULEBAR_SIM:-} ]]; then
    JOULEBAR_SIM=${CARGO_TARGET_DIR:-$root/target}/debug/joulebar-sim
    if [[ ! -x $JOULEBAR_SIM ]]; then
        need_rust
        cargo build --locked --quiet -p joulebar-sim >&2
    fi
fi
export JOULEBAR_SIM
# nothing of the user's own settings may reach the clients
unset OPENAI_API_KEY OPENAI_BASE_URL LM_API_TOKEN LMSTUDIO_API_BASE HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy

status=0
for check in check_openai.py check_llm_lmstudio.py; do
    "$env/bin/python" "$scripts/clients/$check" || status=1
done
exit $status
