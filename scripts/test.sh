#!/usr/bin/env bash
# Every test of the project. Its last line is "N passed, N failed, N skipped"; fails if one failed.
# Details of each part are in target/test-logs.
#   JOULEBAR_FIXTURES  directory of recorded captures; without it the tests that read them count as skipped
#   JOULEBAR_FAST=1    leaves out the parts that fetch packages (clients and server that we did not write)
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_rust
cd "$root"
need_screens
logs=${CARGO_TARGET_DIR:-$root/target}/test-logs
rm -rf "$logs"
mkdir -p "$logs"
# no test may touch the user's own history and settings
export JOULEBAR_DATA=$logs/data JOULEBAR_CONFIG=$logs/config
passed=0 failed=0 skipped=0

# add_counts STATUS LOG NAME: adds what scripts/count_tests.awk finds. A part that ends badly without a failed test
# (it did not compile, it crashed) is one failure.
add_counts() {
    local counts
    read -r -a counts < <(awk -f "$scripts/count_tests.awk" "$2")
    [[ $1 == 0 || ${counts[1]} != 0 ]] || counts[1]=1
    passed=$((passed + counts[0])) failed=$((failed + counts[1])) skipped=$((skipped + counts[2]))
    say "$3: ${counts[0]} passed, ${counts[1]} failed, ${counts[2]} skipped"
}

# rust NAME ARGS: cargo test; shows one line a test program, and everything about a failure
rust() {
    local name=$1 status=0
    shift
    step "$name"
    cargo test --locked --no-fail-fast "$@" -- --show-output >"$logs/$name.log" 2>&1 || status=$?
    awk -f "$scripts/show_tests.awk" "$logs/$name.log"
    add_counts $status "$logs/$name.log" "$name"
}

# checks NAME COMMAND: a script that prints "ok - what", "not ok - what", "ok - what # SKIP why"
checks() {
    local name=$1 status=0
    shift
    step "$name"
    "$@" 2>"$logs/$name.err" | tee "$logs/$name.log" || status=$?
    [[ $status == 0 ]] || tail -n 60 "$logs/$name.err"
    add_counts $status "$logs/$name.log" "$name"
}

# the helper's feature first: the plain programs must be the ones that the later parts find in target/debug
rust helper-simulated -p joulebar-helper --features simulator
checks helper-release scripts/release_helper.sh
step "building the programs"
JOULEBAR_APP=1 "$scripts/build.sh" debug
if [[ -z ${JOULEBAR_FAST:-} ]]; then
    # beside the tests and behind them: many of them wait more than they work
    nice -n 19 "$scripts/macos/bundle.sh" >"$logs/mac-bundle-build.log" 2>&1 &
    bundle=$!
    trap 'kill "$bundle" 2>/dev/null || true' EXIT
fi
if [[ -z ${JOULEBAR_FAST:-} ]]; then
    step "starting a real model server"
    coproc llm { exec "$scripts/llm_server.sh" 2>"$logs/llm-server.err"; }
    # it ends with its standard input, so with this script
    read -r -t 600 ready JOULEBAR_LLM_SERVER _ <&"${llm[0]}" || ready=
    [[ $ready == READY ]] || { tail -n 30 "$logs/llm-server.err" >&2; fail "the model server did not start"; }
    export JOULEBAR_LLM_SERVER
fi
step "screens"
status=0
(cd ui && npx vitest run --reporter=tap-flat) >"$logs/screens.log" 2>"$logs/screens.err" || status=$?
# `# time` stands after each result; a skipped test says SKIP there
add_counts $status "$logs/screens.log" screens
[[ $status == 0 ]] || { grep '^not ok' "$logs/screens.log"; tail -n 40 "$logs/screens.err"; } >&2
step "screens in a browser"
[[ $(uname) != Linux ]] || need_packages chromium fonts-inter
mkdir -p "${CARGO_TARGET_DIR:-$root/target}/screenshots"
status=0
(cd ui && npx playwright test) >"$logs/browser.log" 2>&1 || status=$?
# its lines begin with a tick, a cross or a dash
sed -n 's/^ *✓ */ok - /p; s/^ *✘ */not ok - /p; s/^ *- *\([0-9]\)/ok - # SKIP \1/p' "$logs/browser.log" >"$logs/browser.tap"
add_counts $status "$logs/browser.tap" browser
[[ $status == 0 ]] || tail -n 60 "$logs/browser.log" >&2
rust workspace --workspace --features joulebar-app/custom-protocol
checks desktop scripts/e2e_desktop.sh
unset JOULEBAR_LLM_SERVER
[[ -z ${llm_PID:-} ]] || kill "$llm_PID" 2>/dev/null || true
if [[ -z ${JOULEBAR_FAST:-} ]]; then
    [[ ! -x scripts/clients/run.sh ]] || checks real-clients scripts/clients/run.sh
    checks real-server scripts/e2e_real_server.sh
    step "waiting for the bundle for macOS"
    if wait "$bundle"; then
        checks mac-bundle scripts/macos/inspect
    else
        tail -n 60 "$logs/mac-bundle-build.log" >&2
        say "mac-bundle: it was not built"
        failed=$((failed + 1))
    fi
    trap - EXIT
fi

say ""
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed == 0 ]]
