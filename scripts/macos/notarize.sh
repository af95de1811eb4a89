#!/usr/bin/env bash
# Hands a signed disk image to Apple's notary, waits, and staples the ticket to it. One submission covers the app and its
# helper. Needs a Mac, a Developer ID signature and a paid account; not run yet.
#   scripts/macos/notarize.sh IMAGE.dmg
#   APPLE_API_KEY_PATH, APPLE_API_KEY, APPLE_API_ISSUER   an App Store Connect key: its file, its id, its issuer; or
#   JOULEBAR_NOTARY_PROFILE   a profile stored with `xcrun notarytool store-credentials`
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
[[ $(uname) == Darwin ]] || fail "the notary's tools need a Mac"
[[ $# == 1 ]] || fail "usage: notarize.sh IMAGE.dmg"
image=$1
if [[ -n ${JOULEBAR_NOTARY_PROFILE:-} ]]; then
    login=(--keychain-profile "$JOULEBAR_NOTARY_PROFILE")
else
    login=(--key "${APPLE_API_KEY_PATH:?or JOULEBAR_NOTARY_PROFILE}" --key-id "${APPLE_API_KEY:?}" --issuer "${APPLE_API_ISSUER:?}")
fi
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
xcrun notarytool submit "$image" "${login[@]}" --wait --timeout 30m --output-format json | tee "$answer" >&2 || true
id=$(plutil -extract id raw -o - "$answer")
if [[ $(plutil -extract status raw -o - "$answer") != Accepted ]]; then
    xcrun notarytool log "$id" "${login[@]}" >&2 || true
    fail "the notary did not accept $image"
fi
xcrun stapler staple "$image"
xcrun stapler validate "$image"
spctl --assess --type open --context context:primary-signature --verbose=2 "$image"
