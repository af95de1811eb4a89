#!/usr/bin/env bash
# Builds the menu-bar app with its helper and opens it. Away from a Mac there are no power counters, so the demo opens:
# everything that it shows is simulated, and says so. Without a display it opens on a private one, leaves a picture in
# target/app-screenshot.png, and ends.
#   scripts/app.sh [OPTIONS OF joulebar-app]
#   JOULEBAR_PROFILE=debug   builds without optimising
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_rust
profile=${JOULEBAR_PROFILE:-release}
JOULEBAR_APP=1 "$scripts/build.sh" "$profile"
target=${CARGO_TARGET_DIR:-$root/target}
app=$target/$profile/joulebar-app
if [[ $(uname) == Darwin ]]; then
    say "Joulebar is in the menu bar."
    exec "$app" "$@"
fi
[[ $# -gt 0 ]] || set -- --demo --window
if [[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; then
    exec "$app" "$@"
fi
need_packages xvfb xauth dbus dbus-daemon imagemagick fonts-inter
place=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$place"' EXIT
mkdir -m 700 "$place/run" "$place/data" "$place/config"
printf '[app]\nwelcomed = true\n' >"$place/config/settings.toml"
export HOME=$place XDG_RUNTIME_DIR=$place/run JOULEBAR_DATA=$place/data JOULEBAR_CONFIG=$place/config
export GDK_BACKEND=x11 NO_AT_BRIDGE=1
Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp 3>"$place/display" 2>/dev/null &
for _ in $(seq 100); do [[ ! -s $place/display ]] || break; sleep 0.1; done
[[ -s $place/display ]] || fail "Xvfb did not start"
DISPLAY=:$(cat "$place/display")
export DISPLAY
dbus-run-session -- "$app" "$@" 2>"$place/app.err" &
running=$!
sleep "${JOULEBAR_SECONDS:-12}"
kill -0 $running 2>/dev/null || { cat "$place/app.err" >&2; fail "the app ended"; }
mkdir -p "$target"
import -window root "$target/app-screenshot.png"
say "There is no display: the app was opened on a private one, and its picture is target/app-screenshot.png (simulated)."
