# Sourced after lib.sh: where the macOS toolchain is.
darwin_dir=$cache/darwin
zig_env=$(cat "$darwin_dir/zig" 2>/dev/null || true)
