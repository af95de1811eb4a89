#!/usr/bin/env bash
# Who may depend on whom (docs/architecture.md). deny.toml holds the licences; this needs nothing but cargo.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_rust
cd "$root"
failures=0

# normal PACKAGE [ARGS]: names of everything that the package links for any platform, one a line (build and test tools left out)
normal() {
    local package=$1
    shift
    cargo tree --locked --package "$package" --edges normal --target all --prefix none --no-dedupe --format '{p}' "$@" \
        | awk 'NF { print $1 }' | sort -u
}
# forbid PACKAGE NAME...: the package must not link these, however indirectly
forbid() {
    local package=$1 linked name
    shift
    linked=$(normal "$package")
    for name in "$@"; do
        if grep -qx "$name" <<<"$linked"; then
            say "error: $package depends on $name"
            failures=$((failures + 1))
        fi
    done
}
# only PACKAGE NAME...: the package may link these and nothing else
only() {
    local package=$1 extra features variants=("")
    shift
    [[ $package != joulebar-helper ]] || variants+=(simulator)
    for features in "${variants[@]}"; do
        extra=$(normal "$package" ${features:+--features "$features"} | grep -vxF "$(printf '%s\n' "$package" "$@")" || true)
        if [[ -n $extra ]]; then
            say "error: $package links" $extra
            failures=$((failures + 1))
        fi
    done
}

# what the helper links runs as root: two serialisation crates, libc, a macro for the Info.plist, and our own messages and
# XPC calls. The last line of names is what serde_derive runs at compile time.
only joulebar-helper joulebar-wire joulebar-xpc embed_plist libc serde serde_core serde_json itoa memchr ryu zmij \
    serde_derive proc-macro2 quote syn unicode-ident
only joulebar-xpc libc
forbid joulebar-wire joulebar-core joulebar-sim joulebar-cli joulebar-helper libc tokio
forbid joulebar-core joulebar-sim joulebar-cli joulebar-helper clap clap_builder tauri indicatif comfy-table anyhow
forbid joulebar-sim joulebar-core joulebar-cli joulebar-helper
forbid joulebar-cli joulebar-sim joulebar-helper tauri
forbid joulebar-app joulebar-sim joulebar-cli joulebar-helper clap

[[ $failures == 0 ]] || fail "$failures broken dependency rules"
