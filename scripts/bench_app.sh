#!/usr/bin/env bash
# What the app costs and how fast it is (docs/performance.md): release build, private display, simulated source. Linux only.
#   scripts/bench_app.sh [--only title|cost|closed|history|timeline|day]
set -euo pipefail
. "$(dirname "$0")/lib.sh"
if [[ $(uname) != Linux ]]; then
    say "the app's figures are taken on a private display, which is Linux's"
    exit 0
fi
JOULEBAR_APP=1 "$scripts/build.sh" release
env=$(need_desktop)
(cd "$root/ui" && npx vite build --config bench/vite.config.ts --logLevel warn >&2)
# the app's engine with pages of ours; it comes with the web view's library
browser=$(find /usr/lib -path '*webkit2gtk-4.1/MiniBrowser' -print -quit)
[[ -n $browser ]] || fail "the web view's MiniBrowser is missing; install libwebkit2gtk-4.1-0"
"$env/bin/python" "$scripts/bench_app.py" --programs "${CARGO_TARGET_DIR:-$root/target}/release" \
    --pages "$root/target/bench-pages" --browser "$browser" "$@"
