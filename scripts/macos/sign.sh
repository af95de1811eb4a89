#!/usr/bin/env bash
# Signs a bundle inside-out: the programs in it first, each with its own identifier and without entitlements, then the app.
#   scripts/macos/sign.sh BUNDLE APP_ID HELPER_ID CLI_ID
#   JOULEBAR_SIGN_IDENTITY   "Developer ID Application: …" or "Apple Development: …" on a Mac; without it, ad hoc on any
#                            machine
# Not run on a Mac yet. What it leaves is looked at by scripts/macos/inspect, there as here.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
[[ $# == 4 ]] || fail "usage: sign.sh BUNDLE APP_ID HELPER_ID CLI_ID"
bundle=$1 app_id=$2 helper_id=$3 cli_id=$4
identity=${JOULEBAR_SIGN_IDENTITY:--}
programs=("Contents/MacOS/$helper_id:$helper_id" "Contents/MacOS/joulebar:$cli_id")

if [[ $(uname) != Darwin ]]; then
    [[ $identity == - ]] || fail "signing as \"$identity\" needs a Mac"
    arguments=(--code-signature-flags runtime --binary-identifier "$app_id")
    for program in "${programs[@]}"; do
        arguments+=(--code-signature-flags "${program%%:*}:runtime" --binary-identifier "$program")
    done
    rcodesign=$("$scripts/macos/rcodesign.sh")
    "$rcodesign" sign "${arguments[@]}" "$bundle" >&2
    exit
fi

options=(--force --options runtime --sign "$identity")
case $identity in
    "Developer ID"*) options+=(--timestamp) ;;
    *) options+=(--timestamp=none) ;;
esac
for program in "${programs[@]}"; do
    codesign "${options[@]}" --identifier "${program#*:}" "$bundle/${program%%:*}"
done
codesign "${options[@]}" --identifier "$app_id" "$bundle"
codesign --verify --strict --deep --verbose=2 "$bundle"
