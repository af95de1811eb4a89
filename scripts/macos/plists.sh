#!/usr/bin/env bash
# src-tauri/macos/HELPER_ID.plist from the constants of crates/wire/src/identity.rs. The result is committed.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
need_rust
cd "$root"
read -r _ helper_id _ < <(cargo run --locked --quiet -p joulebar-inspect -- names)
mkdir -p src-tauri/macos
cargo run --locked --quiet -p joulebar-inspect -- plist launchd >"src-tauri/macos/$helper_id.plist"
