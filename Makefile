# What one does here. Each verb is a script or a cargo command; nothing else lives in this file.
.PHONY: help up test bench check replay siege simulate

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

up: ## OnePool with every role in one process and a demo to look at, on http://localhost:8080
	@tests/install build postgresql
	cargo build --release -p onepool
	@exec target/release/onepool serve --demo

test: ## every test, against private PostgreSQL, Redis and RabbitMQ
	@tests/install build servers kubernetes
	cargo build --workspace --bins
	tests/servers run cargo test --workspace --no-fail-fast
	tests/kubernetes

bench: ## orders a second, placed by single requests and settled over RabbitMQ, on durable servers
	@tests/install build servers
	cargo build --release -p onepool -p system-tests -p inventory --bins --examples
	DURABLE=1 tests/servers run target/release/bench

replay: ## real orders through the whole system: make replay DATA=folder
	@tests/install build postgresql
	cargo build --release -p onepool -p system-tests --bins
	target/release/replay --data "$(DATA)"

siege: ## a million attempts to oversell the pool while its processes are killed: make siege [ATTEMPTS=n]
	@tests/install build servers
	cargo build --release -p onepool -p system-tests --bins
	tests/servers run target/release/siege --attempts $(or $(ATTEMPTS),1000000)

simulate: ## a month of a chain at random, with faults; the same seed is the same month: make simulate [SEED=n] [STEPS=n]
	@tests/install build servers
	SEED=$(or $(SEED),1) STEPS=$(or $(STEPS),5000) tests/servers run cargo test --release -p onepool --test simulation \
		every_order_ends -- --nocapture

check: ## what a change must pass besides the tests: format, lints, docs, house rules
	@tests/install build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	cargo test -p system-tests --test tidy
