#!/usr/bin/env bash
# Hands a signed app or disk image to Apple's notary, waits, and staples the ticket to it. The app goes first, so that the
# image carries it with its ticket and it opens without a network. Needs a Mac, a Developer ID signature and a paid account;
# not run yet.
#   scripts/macos/notarize.sh Joulebar.app, then dmg.sh, then scripts/macos/notarize.sh IMAGE.dmg
#   APPLE_API_KEY_PATH, APPLE_API_KEY, APPLE_API_ISSUER   an App Store Connect key: its file, its id, its issuer; or
#   JOULEBAR_NOTARY_PROFILE   a profile stored with `xcrun notarytool store-credentials`
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
[[ $(uname) == Darwin ]] || fail "the notary's tools need a Mac"
[[ $# == 1 ]] || fail "usage: notarize.sh Joulebar.app | IMAGE.dmg"
signed=$1
case $signed in *.app | *.dmg) ;; *) fail "neither an app nor a disk image: $signed" ;; esac
codesign -dvv "$signed" 2>&1 | grep '^Authority=Developer ID Application' >/dev/null || fail "no Developer ID signed $signed"
if [[ -n ${JOULEBAR_NOTARY_PROFILE:-} ]]; then
    login=(--keychain-profile "$JOULEBAR_NOTARY_PROFILE")
else
    login=(--key "${APPLE_API_KEY_PATH:?or JOULEBAR_NOTARY_PROFILE}" --key-id "${APPLE_API_KEY:?}" --issuer "${APPLE_API_ISSUER:?}")
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
answer=$work/answer.json submitted=$signed
if [[ $signed == *.app ]]; then
    # the notary takes files alone
    submitted=$work/$(basename "$signed").zip
    ditto -c -k --keepParent "$signed" "$submitted"
fi
xcrun notarytool submit "$submitted" "${login[@]}" --wait --timeout 30m --output-format json | tee "$answer" >&2 || true
id=$(plutil -extract id raw -o - "$answer")
if [[ $(plutil -extract status raw -o - "$answer") != Accepted ]]; then
    xcrun notarytool log "$id" "${login[@]}" >&2 || true
    fail "the notary did not accept $signed"
fi
xcrun stapler staple "$signed"
xcrun stapler validate "$signed"
case $signed in
    *.app) spctl --assess --type execute --verbose=2 "$signed" ;;
    *) spctl --assess --type open --context context:primary-signature --verbose=2 "$signed" ;;
esac
