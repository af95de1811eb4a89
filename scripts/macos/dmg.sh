#!/usr/bin/env bash
# Puts a signed bundle on a disk image, beside a link to /Applications, and signs the image. Needs a Mac; not run yet.
#   scripts/macos/dmg.sh BUNDLE IMAGE.dmg
#   JOULEBAR_SIGN_IDENTITY   as for sign.sh; an ad-hoc build's image is not signed
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
[[ $(uname) == Darwin ]] || fail "a disk image needs a Mac"
[[ $# == 2 ]] || fail "usage: dmg.sh BUNDLE IMAGE.dmg"
bundle=$1 image=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# ditto keeps what the signature covers
ditto "$bundle" "$folder/$(basename "$bundle")"
ln -s /Applications "$folder/Applications"
rm -f "$image"
hdiutil create -quiet -volname Joulebar -srcfolder "$folder" -format UDZO -fs HFS+ "$image"
if [[ -n ${JOULEBAR_SIGN_IDENTITY:-} ]]; then
    codesign --force --timestamp --sign "$JOULEBAR_SIGN_IDENTITY" "$image"
fi
say "$image"
