#!/usr/bin/env bash
# Joulebar.app for Apple Silicon, from any machine: builds the programs, puts the bundle together, signs it inside-out,
# zips it. Leaves target/mac/Joulebar.app and target/mac/Joulebar-VERSION-adhoc.zip.
#   JOULEBAR_SIGN_IDENTITY   on a Mac: sign with this certificate instead of ad hoc (see sign.sh); the zip's name then ends
#                            in -signed
#   JOULEBAR_TEAM_ID         the team of that certificate, compiled into app and helper (docs/install.md)
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
need_rust
need_python
"$scripts/darwin/setup.sh"
. "$scripts/darwin/env.sh"
cd "$root"
build_screens
[[ -z ${JOULEBAR_SIGN_IDENTITY:-} ]] || [[ $(uname) == Darwin ]] || fail "JOULEBAR_SIGN_IDENTITY needs a Mac"

step "names"
inspect() { cargo run --locked --quiet -p joulebar-inspect -- "$@"; }
read -r app_id helper_id cli_id version < <(inspect names)
[[ -n ${version:-} ]] || fail "joulebar-inspect did not say the names"
say "app $app_id, helper $helper_id, terminal program $cli_id, version $version"
# The app's own configuration has the development name. And the picture for windows' title bars, which a Mac does not show,
# would take a megabyte: it is carried unpacked.
TAURI_CONFIG=$(printf '{"identifier":"%s","bundle":{"icon":["icons/tray/idle.png"]}}' "$app_id")
export TAURI_CONFIG

# a helper of another build is replaced by the app, also where the version is the same
JOULEBAR_BUILD=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
[[ $JOULEBAR_BUILD == unknown || -z $(git status --porcelain) ]] || JOULEBAR_BUILD+=-$(date +%s)
export JOULEBAR_BUILD

step "building for aarch64-apple-darwin"
darwin() { JOULEBAR_DARWIN_TARGET=aarch64-apple-darwin "$scripts/darwin/darwin-cargo" "$@"; }
quiet=()
[[ -t 2 && -z ${CI:-} ]] || quiet=(--quiet)
# alone, so that no feature of another package reaches it; linked against libSystem alone, an unknown name is an error
darwin build --locked ${quiet[@]+"${quiet[@]}"} --profile helper -p joulebar-helper --bin joulebar-helper
JOULEBAR_DARWIN_FRAMEWORKS=1 darwin build --locked ${quiet[@]+"${quiet[@]}"} --profile bundle \
    -p joulebar-app -p joulebar-cli --features joulebar-app/custom-protocol
built=$(darwin_target_dir)/aarch64-apple-darwin

# names of functions are of no use in what is shipped and take a fifth of it; rustc strips on a Mac, but not from elsewhere
strip_names() {
    [[ $(uname) != Darwin ]] || return 0
    local compiler host
    compiler=$(rustc --print sysroot)
    host=$(rustc -vV | sed -n 's/^host: //p')
    LD_LIBRARY_PATH=$compiler/lib "$compiler/lib/rustlib/$host/bin/rust-objcopy" --strip-all "$1"
}

step "putting the bundle together"
place=${CARGO_TARGET_DIR:-$root/target}/mac
bundle=$place/Joulebar.app
contents=$bundle/Contents
rm -rf "$bundle"
mkdir -p "$contents/MacOS" "$contents/Resources" "$contents/Library/LaunchDaemons"
install -m 755 "$built/bundle/joulebar-app" "$contents/MacOS/joulebar-app"
install -m 755 "$built/bundle/joulebar" "$contents/MacOS/joulebar"
install -m 755 "$built/helper/joulebar-helper" "$contents/MacOS/$helper_id"
for program in "$contents"/MacOS/*; do strip_names "$program"; done
install -m 644 src-tauri/icons/icon.icns "$contents/Resources/icon.icns"
inspect plist app >"$contents/Info.plist"
inspect plist launchd >"$contents/Library/LaunchDaemons/$helper_id.plist"
chmod 644 "$contents/Info.plist" "$contents/Library/LaunchDaemons/$helper_id.plist"

step "signing"
"$scripts/macos/sign.sh" "$bundle" "$app_id" "$helper_id" "$cli_id"
chmod 644 "$contents/_CodeSignature/CodeResources"

step "zipping"
kind=adhoc
[[ -z ${JOULEBAR_SIGN_IDENTITY:-} ]] || kind=signed
zip=$place/Joulebar-$version-$kind.zip
rm -f "$zip"
python3 "$scripts/macos/zip.py" "$bundle" "$zip"
say "$zip: $(wc -c <"$zip") bytes"
