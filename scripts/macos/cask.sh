#!/usr/bin/env bash
# Prints the Homebrew cask of a release: cask.sh IMAGE.dmg VERSION OWNER/REPOSITORY
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
[[ $# == 3 && -f $1 ]] || fail "usage: cask.sh IMAGE.dmg VERSION OWNER/REPOSITORY"
[[ $2 =~ ^[0-9]+\.[0-9]+\.[0-9]+$ && $3 =~ ^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$ ]] || fail "\"$2\" is no version, or \"$3\" no repository"
sum=$(if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi)
sed -e "s|@VERSION@|$2|g; s|@REPOSITORY@|$3|g; s|@SHA256@|${sum%% *}|g" -e '/^#/d' "$root/packaging/homebrew/joulebar.rb"
