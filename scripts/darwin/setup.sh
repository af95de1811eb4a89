#!/usr/bin/env bash
# Makes this machine able to type-check for macOS. On a Mac: rustup's target is all. On Linux x86_64 also zig, from PyPI,
# as C compiler and linker; no Apple SDK. Where rustup cannot deliver the target's std, Debian's own compiler and the source
# of its std are unpacked into the cache (1 GB) and std is compiled from that; JOULEBAR_DARWIN_DEBIAN=1 asks for it.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$scripts/darwin/env.sh"
need_rust
mkdir -p "$darwin_dir/no-sdk"

if [[ $(uname) != Darwin ]]; then
    [[ $(uname -sm) == "Linux x86_64" ]] || fail "this needs macOS, or Linux on x86_64"
    zig=$(python_env zig "$scripts/python/zig.txt") || fail "zig could not be installed"
    printf '%s\n' "$zig" >"$darwin_dir/zig"
    python3 "$scripts/darwin/stubs.py" "$darwin_dir/stubs"
fi

debian_toolchain() {
    command -v apt-get >/dev/null || fail "rustup could not add the macOS targets"
    if [[ ! -x $darwin_dir/root/usr/bin/cargo ]]; then
        local sudo=() std libraries building
        [[ $(id -u) == 0 ]] || sudo=(sudo)
        ${sudo[@]+"${sudo[@]}"} apt-get update -qq >/dev/null
        std=$(apt-cache depends libstd-rust-web-dev | sed -n 's/.*Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p' | head -n1)
        libraries=$(apt-cache depends "$std" cargo-web | sed -n 's/^ *Depends: \(lib[a-z0-9.+-]*\)$/\1/p' | grep -v '^libstd-rust' | sort -u)
        need_packages $libraries
        # the packages would take the names of rustup's programs, so their files are unpacked, never installed
        building=$(mktemp -d "$darwin_dir/root.XXXXXX")
        say "unpacking Debian's Rust into $darwin_dir/root"
        (cd "$building" && apt-get -o APT::Sandbox::User=root download -qq \
            rustc-web cargo-web rust-web-clippy rust-web-src libstd-rust-web-dev "$std" >&2)
        local package
        for package in "$building"/*.deb; do dpkg -x "$package" "$building" && rm "$package"; done
        rm -rf "$darwin_dir/root" "$building/usr/share/doc"
        mv "$building" "$darwin_dir/root"
    fi
    touch "$darwin_dir/use-debian"
}

# a network that answers nothing must not hold up the fallback (a Mac has no timeout, and needs none)
bounded() { if command -v timeout >/dev/null; then timeout 300 "$@"; else "$@"; fi; }

rm -f "$darwin_dir/use-debian"
if [[ -n ${JOULEBAR_DARWIN_DEBIAN:-} ]] \
    || ! (cd "$root" && bounded rustup target add aarch64-apple-darwin x86_64-apple-darwin >&2); then
    debian_toolchain
fi
