# The commands a newcomer meets. Each installs what it needs on a Debian or macOS that has git, a C compiler, make and rustup.
.PHONY: help app run test check bench darwin-check mac-bundle fmt schema bindings

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

app: ## build the menu-bar app and open it; without a display its picture lands in target/app-screenshot.png
	@scripts/app.sh

run: ## measure nine prompts: LM Studio if it answers on 127.0.0.1:1234, else the built-in demo; writes joulebar-report.json
	@scripts/run.sh

test: ## all tests; the last line counts them
	@scripts/test.sh

check: ## formatting, lints, documentation, dependency rules
	@scripts/check.sh

bench: ## benchmarks (results with the machine's name: docs/performance.md)
	@scripts/bench.sh

darwin-check: ## lint the workspace for macOS from any machine
	@scripts/darwin/check.sh

mac-bundle: ## Joulebar.app for Apple Silicon, ad-hoc signed, and a zip of it in target/mac; from any machine
	@scripts/macos/bundle.sh

fmt: ## format the code
	@cargo fmt --all

schema: ## docs/report.schema.json from the code
	@cargo run --quiet -p joulebar-cli -- schema >docs/report.schema.json

bindings: ## ui/src/lib/backend/bindings.ts from the code
	@scripts/bindings.sh >target/bindings.ts && mv target/bindings.ts ui/src/lib/backend/bindings.ts
