#!/usr/bin/env bash
# Prints the types that cross to the screens as TypeScript, from the Rust types.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_rust
cd "$root"
exec cargo run --locked --quiet -p joulebar-core --features typescript --example bindings
