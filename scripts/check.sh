#!/usr/bin/env bash
# Formatting, lints, documentation, dependency rules, and the syntax of the scripts. Warnings are errors.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_rust
need_python
cd "$root"
step "screens"
build_screens
(cd ui && npm run --silent check)
step "formatting"
cargo fmt --all --check
step "lints"
cargo clippy --locked --quiet --workspace --all-targets -- -D warnings
cargo clippy --locked --quiet -p joulebar-helper --all-targets --features simulator -- -D warnings
step "bindings"
scripts/bindings.sh | diff -u ui/src/lib/backend/bindings.ts - >&2 || fail "ui/src/lib/backend/bindings.ts is out of date: run \`make bindings\`"
step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --workspace --no-deps
step "dependencies"
scripts/check_dependencies.sh
step "scripts"
while IFS= read -r script; do bash -n "$script"; done < <(git ls-files '*.sh' .ci/run scripts/darwin/darwin-cargo scripts/darwin/zig-cc scripts/macos/inspect)
git ls-files -z '*.py' scripts/macos/count_lines | xargs -0 python3 -c 'import ast,sys; [ast.parse(open(path).read(), path) for path in sys.argv[1:]]'
say "all checks passed"
