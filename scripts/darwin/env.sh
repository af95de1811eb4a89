# Sourced after lib.sh: where the macOS toolchain is.
darwin_dir=$cache/darwin
zig_env=$(cat "$darwin_dir/zig" 2>/dev/null || true)

# Where darwin-cargo leaves what it builds: Debian's compiler is another than ours, so its files stand apart.
darwin_target_dir() {
    if [[ -f $darwin_dir/use-debian ]]; then
        printf '%s\n' "${JOULEBAR_DARWIN_TARGET_DIR:-${CARGO_TARGET_DIR:-$root/target}/darwin}"
    else
        printf '%s\n' "${CARGO_TARGET_DIR:-$root/target}"
    fi
}
