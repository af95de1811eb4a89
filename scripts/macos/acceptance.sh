#!/usr/bin/env bash
# What only a Mac can tell, before a release: signatures, Gatekeeper, registration, who is let in, who is stopped, what is
# left behind. Asks for what a person must do, says "ok", "not ok" or "skipped" for each. Not run yet.
#   scripts/macos/acceptance.sh [/Applications/Joulebar.app]
#   JOULEBAR_TEAM_ID, JOULEBAR_CERT_KIND   as for the build, when it is signed: names and requirement follow from them
# Rows are those of the threat table (docs/security.md). Leaves the system as it was, but for the helper's registration.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
[[ $(uname) == Darwin ]] || fail "this needs a Mac"
need_rust
bundle=${1:-/Applications/Joulebar.app}
[[ $bundle == /Applications/* && -d $bundle ]] || fail "install the app in /Applications first"
app_id=$(plutil -extract CFBundleIdentifier raw -o - "$bundle/Contents/Info.plist")
launchd_plist=$(ls "$bundle"/Contents/Library/LaunchDaemons/*.plist)
helper_id=$(plutil -extract Label raw -o - "$launchd_plist")
helper=$bundle/Contents/MacOS/$helper_id
signed=$(codesign -dv "$bundle" 2>&1 | sed -n 's/^TeamIdentifier=//p')
[[ $signed != "not set" ]] || signed=
version=$(plutil -extract CFBundleShortVersionString raw -o - "$bundle/Contents/Info.plist")
# only what a Developer ID signed can be notarised
released=$(codesign -dvv "$bundle" 2>&1 | grep '^Authority=Developer ID Application' || true)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

say_result() { printf '%s - %s\n' "$1" "$2"; }
ok() { say_result ok "$1"; passed=$((passed + 1)); }
not_ok() { say_result "not ok" "$1"; failed=$((failed + 1)); }
skip() { say_result ok "$1 # SKIP $2"; skipped=$((skipped + 1)); }
# check WHAT COMMAND...: ok when the command succeeds
check() { local what=$1; shift; if "$@" >"$work/log" 2>&1; then ok "$what"; else not_ok "$what"; sed 's/^/#   /' "$work/log"; fi; }
refuses() { ! "$@"; }
ask() { local answer; read -r -p "$1 [y/n/s] " answer </dev/tty; printf '%s' "$answer"; }
# person WHAT QUESTION: a person looks
person() {
    case $(ask "$2") in
        y) ok "$1" ;;
        s) skip "$1" "left out" ;;
        *) not_ok "$1" ;;
    esac
}
powermetrics_runs() { pgrep -x powermetrics >/dev/null; }
helper_pid() { pgrep -f "^$helper_id daemon|/$helper_id daemon" | head -n 1; }
# waits up to SECONDS until the command succeeds
within() { local end=$((SECONDS + $1)); shift; until "$@"; do [[ $SECONDS -lt $end ]] || return 1; sleep 0.2; done; }

step "signature"
# a copy without the notary's ticket, which is no file of the build
mkdir "$work/inspected"
ditto "$bundle" "$work/inspected/Joulebar.app"
rm -f "$work/inspected/Joulebar.app/Contents/CodeResources"
check "the bundle passes the inspection" "$scripts/macos/inspect" "$work/inspected/Joulebar.app"
check "the signature holds, strictly and deeply" codesign --verify --strict --deep --verbose=2 "$bundle"
no_entitlements() { [[ -z $(codesign -d --entitlements - --xml "$helper" 2>/dev/null) ]]; }
check "the helper has no entitlements" no_entitlements
# the requirement that is compiled in: macOS must understand it and find that the app meets it
if [[ -n $released ]]; then
    check "Gatekeeper accepts it" spctl --assess --verbose=2 "$bundle"
    check "the notary's ticket is stapled" xcrun stapler validate "$bundle"
else
    for what in "Gatekeeper accepts it" "the notary's ticket is stapled"; do skip "$what" "not signed with a Developer ID"; done
fi
if [[ -n $signed ]]; then
    requirement=$(cd "$root" && cargo run --locked --quiet -p joulebar-inspect -- requirement)
    check "the helper carries this build's requirement" grep -qaF -- "$requirement" "$helper"
    check "macOS understands the helper's requirement" csreq -r "=$requirement" -t
    check "row 3: the app meets the helper's requirement" codesign --verify -R="$requirement" "$bundle"
    check "row 3: so does the terminal program" codesign --verify -R="$requirement" "$bundle/Contents/MacOS/joulebar"
    # the same app, open to a debugger
    cp -R "$bundle" "$work/open.app"
    cat >"$work/open.plist" <<'PLIST'
<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict><key>com.apple.security.get-task-allow</key><true/></dict></plist>
PLIST
    codesign --force --options runtime --entitlements "$work/open.plist" --sign "${JOULEBAR_SIGN_IDENTITY:--}" "$work/open.app"
    check "row 3: an app open to a debugger does not meet it" refuses codesign --verify -R="$requirement" "$work/open.app"
else
    skip "row 3: the app meets the helper's requirement" "ad-hoc build"
fi

step "registration"
if [[ -n $signed ]]; then
    person "the helper was registered and approved" "Open Joulebar, Settings, Helper, Enable, approve in System Settings. Do watts appear?"
else
    check "the helper is installed" sudo "$bundle/Contents/MacOS/joulebar" helper install --yes --app "$bundle"
    helper_id=$helper_id.local
    person "watts appear" "Open Joulebar. Do watts appear?"
fi
check "launchd knows the helper" launchctl print "system/$helper_id"
check "powermetrics runs while somebody looks" within 10 powermetrics_runs
no_options() { ! ps -axo args= | grep '^/usr/bin/powermetrics' | grep -E -- ' (-o|-u|--output-file) '; }
check "row 6: powermetrics got no option that writes a file" no_options

step "who is let in"
# a stranger that was never signed by us asks the helper over XPC and must hear nothing
cat >"$work/stranger.c" <<'C'
#include <dispatch/dispatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xpc/xpc.h>
int main(int argc, char **argv) {
    __block int answered = 0, events = 0;
    dispatch_semaphore_t done = dispatch_semaphore_create(0);
    xpc_connection_t peer = xpc_connection_create_mach_service(argv[1], NULL, XPC_CONNECTION_MACH_SERVICE_PRIVILEGED);
    xpc_connection_set_event_handler(peer, ^(xpc_object_t event) {
        char *text = xpc_copy_description(event);
        printf("got %s\n", text);
        free(text);
        events++;
        if (xpc_get_type(event) != XPC_TYPE_DICTIONARY) return; // an error is no answer; one may still come
        answered = 1;
        dispatch_semaphore_signal(done);
    });
    xpc_connection_activate(peer);
    if (argc != 3) return 2;
    const char *hello = argv[2];
    xpc_object_t message = xpc_dictionary_create_empty();
    xpc_dictionary_set_uint64(message, "v", 1);
    xpc_dictionary_set_data(message, "m", hello, strlen(hello));
    xpc_connection_send_message(peer, message);
    dispatch_semaphore_wait(done, dispatch_time(DISPATCH_TIME_NOW, 5 * NSEC_PER_SEC));
    printf("%s, %d events\n", answered ? "answered" : "no answer in 5 s", events);
    return answered;
}
C
check "a stranger can be compiled" cc -fblocks -o "$work/stranger" "$work/stranger.c"
hello="{\"t\":\"hello\",\"proto\":1,\"app\":\"$version\"}"
# silence proves something only while the service is there and answers who may ask: the app, for whom powermetrics runs
serves_the_app() { local pid; pid=$(helper_pid) && [[ -n $pid ]] && pgrep -x -P "$pid" powermetrics >/dev/null; }
# stranger WHAT
stranger() {
    if ! launchctl print "system/$helper_id" >/dev/null 2>&1 || ! within 10 serves_the_app; then
        not_ok "$1"
        printf '#   the helper does not serve the app: silence would prove nothing\n'
        return
    fi
    check "$1" "$work/stranger" "$helper_id" "$hello"
    sed 's/^/#   /' "$work/log"
    check "the helper still serves the app" serves_the_app
}
stranger "row 1: an ad-hoc stranger gets no answer"
if [[ -n ${JOULEBAR_OTHER_IDENTITY:-} ]]; then
    codesign --force --sign "$JOULEBAR_OTHER_IDENTITY" --identifier "$app_id" "$work/stranger"
    stranger "row 1: a stranger of another team gets no answer"
else
    skip "row 1: a stranger of another team gets no answer" "JOULEBAR_OTHER_IDENTITY names no certificate"
fi
# a helper over pipes, started with a planted environment: what has its powermetrics of it?
frame() { printf "$(printf '\\x%02x\\0\\0\\0' "${#1}")%s" "$1"; }
requests() {
    frame "$hello"
    frame '{"t":"start","id":1,"interval_ms":1000,"samplers":["cpu_power"]}'
    sleep 8
}
stdio_child() { local pid; pid=$(pgrep -f "^$helper stdio") && pgrep -x -P "$pid" powermetrics; }
stdio_child_runs() { stdio_child >/dev/null; }
row_8="row 8: powermetrics gets nothing of the caller's environment"
sudo -v
requests | sudo env JOULEBAR_PLANTED=planted PATH=/planted "$helper" stdio >/dev/null &
if within 5 stdio_child_runs; then
    shown=$(sudo ps eww -o command= -p "$(stdio_child)")
    case $shown in
        *planted*) not_ok "$row_8" ;;
        *LC_ALL=C*) ok "$row_8" ;;
        *) skip "$row_8" "ps shows no environment of this program" ;;
    esac
    printf '#   %s\n' "$shown"
else
    not_ok "$row_8"
fi
wait

step "who is stopped"
person "row 9: memory of the helper stays level" \
    "Stop the app for a minute: kill -STOP \$(pgrep joulebar-app); sleep 60; kill -CONT \$(pgrep joulebar-app). Is the helper's RSS below 16 MB (ps -axo rss=,args= | grep daemon)?"
pid=$(helper_pid || true)
if [[ -n $pid ]]; then
    sudo kill -9 "$pid"
    gone() { ! kill -0 "$pid" 2>/dev/null && ! pgrep -x -P 1 powermetrics >/dev/null; }
    check "row 11: launchd ends powermetrics with its helper" within 3 gone
    check "the app starts the helper again" within 30 powermetrics_runs
else
    not_ok "row 11: the helper's process was found"
fi
pkill -9 -x joulebar-app 2>/dev/null || true
no_child() { ! powermetrics_runs; }
check "row 11: powermetrics ends with its last client" within 3 no_child
no_helper() { [[ -z $(helper_pid) ]]; }
check "the helper ends 45 s later" within 60 no_helper
if [[ -n $signed ]]; then
    person "row 12: a swapped helper is not started" \
        "Copy the app aside, replace $helper by any ad-hoc program, open Joulebar: does it say that the helper can't be started? Put the app back."
else
    skip "row 12: a swapped helper is not started" "ad-hoc build"
fi
person "row 15: an update takes the helper along" "Install the previous release, enable it, then this one: does Diagnostics show this helper's version?"
person "row 18: another user gets samples only through the app" "Fast user switching: does the second user's Joulebar show watts too?"

step "what is left behind"
if [[ -n $signed ]]; then
    person "the helper was unregistered" "Settings, Helper, Remove. Done?"
else
    check "the helper is uninstalled" sudo "$bundle/Contents/MacOS/joulebar" helper uninstall --yes
fi
check "launchd forgot the helper" refuses launchctl print "system/$helper_id"

say ""
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[[ $failed == 0 ]]
