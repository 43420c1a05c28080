# Every command of the project; `make help` prints them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
# A newer pip than the one a fresh interpreter brings installs dependency groups (PEP 735).
PIP := $(RUN) -m pip --quiet --disable-pip-version-check
EXTENSION := $(VENV)/.built
FUZZ := rust/fuzz/libfuzzer
FUZZED = $(or $(T),$(notdir $(basename $(wildcard $(FUZZ)/fuzz_targets/*.rs))))
SOURCES := $(shell find rust Cargo.toml Cargo.lock pyproject.toml -name target -prune -o -type f -print)

# Tests that also have to pass on the NumPy backend.
NUMPY_TESTS := $(addprefix tests/,core/test_decode.py core/test_decode_errors.py core/test_array_functions.py \
	core/test_edge_cases.py core/test_vectors.py plugins/test_plugin_v3.py plugins/test_prefetch.py) \
	$(wildcard tests/bulk/test_decode_many*.py tests/bulk/test_read_series*.py)

.DEFAULT_GOAL := help
.PHONY: help setup build release fmt lint test bench bench-ratios bench-rust bench-check record numbers demo fuzz fuzz-corpus fuzz-python
.PHONY: unsafe mutations soak asan miri audit docs clean peers

help:  ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready  ## Make the virtual environment with all that tests and lints need
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
	$(PIP) install 'maturin>=1.9,<2' --group test --group extras --group lint --group demo --group bench
	@touch $@

build: $(EXTENSION)  ## Build the extension, optimised, into the virtual environment
$(EXTENSION): $(VENV)/.ready $(SOURCES)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --locked --quiet
	@touch $@

release: $(VENV)/.ready  ## Build wheel and source distribution into dist/
	$(BIN)/maturin build --release --locked --sdist --out dist

fmt: $(VENV)/.ready  ## Format all sources
	cargo fmt --all
	$(BIN)/ruff format python tests benches
	$(BIN)/ruff check --fix-only --quiet python tests benches

lint: build  ## Check formats, lints, types and stubs
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet
	$(BIN)/ruff format --check python tests benches
	$(BIN)/ruff check python tests benches
	$(BIN)/mypy
	$(RUN) -m mypy.stubtest dicoxide._core

test: build  ## Run all tests, Rust and Python
	cargo test --workspace --locked --quiet
	$(RUN) -m pytest
	$(RUN) -m pytest -q benches --benchmark-disable
	DICOXIDE_PURE_PYTHON=1 $(RUN) -m pytest -q $(NUMPY_TESTS)

peers: $(VENV)/.ready  ## Install the other decoders that benchmarks and tests compare with
	$(PIP) install --group peers

bench: build peers  ## Time every decoder at every level, results checked: ARGS="-k codec --benchmark-save=before"
	$(RUN) -m pytest benches --benchmark-only --benchmark-max-time=0.2 --benchmark-columns=median,iqr,rounds --benchmark-group-by=group $(ARGS)

bench-ratios: build peers  ## Time other decoders alternately with dicoxide; print the targets: ARGS="rle --rounds 99"
	$(RUN) benches/ratios.py $(ARGS)

bench-rust:  ## Time kernels and files with criterion: ARGS=rle selects by name
	cargo bench --locked --bench '*' -- $(ARGS)

bench-check: build  ## Compare instruction counts with the committed ones: ARGS=--write replaces them
	$(RUN) benches/counts.py $(ARGS)

record: build peers  ## Measure everything and store it in benches/runs
	$(RUN) benches/record.py $(ARGS)
	$(MAKE) numbers

numbers: build  ## Write the numbers of the newest recorded run to README.md
	$(RUN) benches/update_readme.py

demo: build  ## Decode the images that pydicom ships, check every value, show the speed
	$(RUN) benches/demo.py

fuzz:  ## Decode hostile bytes for S seconds, of target T or each: make fuzz T=decode S=600
	@if cargo fuzz --version >/dev/null 2>&1; then \
		for target in $(FUZZED); do \
			mkdir -p target/fuzz/$$target; \
			RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir $(FUZZ) $$target target/fuzz/$$target rust/fuzz/corpus/$$target -- \
				-max_total_time=$(or $(S),60) -max_len=8192 -timeout=20 -print_final_stats=1 || exit 1; \
		done; \
	else \
		echo "cargo-fuzz is not installed (cargo install cargo-fuzz): random objects instead"; \
		DICOXIDE_FUZZ_SECONDS=$(or $(S),60) cargo test --release --locked -p dicoxide-fuzz -- --nocapture; \
	fi

fuzz-corpus: build  ## Make the corpus anew: seeds of real frames and what fuzzers found, the least that reaches all
	rm -rf target/fuzz/seeds && $(RUN) rust/fuzz/seeds.py target/fuzz/seeds
	for target in $(FUZZED); do \
		rm -rf target/fuzz/least && mkdir -p target/fuzz/least target/fuzz/$$target target/fuzz/seeds/$$target; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir $(FUZZ) $$target -- -set_cover_merge=1 -max_len=4096 \
			target/fuzz/least rust/fuzz/corpus/$$target target/fuzz/seeds/$$target target/fuzz/$$target || exit 1; \
		rm -rf rust/fuzz/corpus/$$target && mv target/fuzz/least rust/fuzz/corpus/$$target; \
	done

fuzz-python: build  ## Fuzz the Python package by atheris for S seconds, target T or each: make fuzz-python T=plugin S=600
	.ci/fuzz-python $(abspath $(RUN)) $(or $(S),60) $(T)

unsafe:  ## List every unsafe block with its proof
	$(PYTHON) rust/unsafe_blocks.py

asan: $(VENV)/.ready  ## Run tests under AddressSanitizer, Rust and Python: ARGS="tests/test_many.py" for those of Python
	.ci/asan $(abspath $(RUN)) $(ARGS)

miri:  ## Run tests of kernels under Miri: ARGS="kernel::bits"
	.ci/miri $(ARGS)

audit: $(VENV)/.ready  ## Check licences, bans and advisories of crates and packages, by the tools that are installed
	.ci/audit $(abspath $(RUN))

mutations: build  ## Decode real files, broken in every way, through every interface: ARGS="--cases 200000 --json FILE"
	PYTHONPATH=tests $(RUN) -m support.file_mutations $(ARGS)

soak: build  ## Decode all kinds by all interfaces at once, checked, and watch memory: make soak MINUTES=60
	$(RUN) tests/support/soak.py --minutes $(or $(MINUTES),60) $(ARGS)

docs: $(VENV)/.ready  ## Build the Rust documentation
	cargo doc --no-deps --document-private-items --workspace --locked

clean:  ## Remove what was built
	rm -rf target $(VENV) dist demo-output python/dicoxide/_core*.so
