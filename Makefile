# All commands of the project; `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
# Dependency groups (PEP 735) need a newer pip than a new environment has.
PIP := $(RUN) -m pip --quiet --disable-pip-version-check
EXTENSION := $(VENV)/.built
# Tools that build and check distributions.
TOOLS := target/release-tools
FUZZ := rust/fuzz/libfuzzer
FUZZ_TARGETS = $(or $(T),$(notdir $(basename $(wildcard $(FUZZ)/fuzz_targets/*.rs))))
SOURCES := $(shell find rust Cargo.toml Cargo.lock pyproject.toml -name target -prune -o -type f -print)

RUST_TESTS := cargo test --workspace --locked --quiet
# Python tests in one worker process per core, at most 8.
PARALLEL := $(RUN) -m pytest -q --numprocesses auto --maxprocesses 8 --dist worksteal
# Every warning is an error, also a name that is documented nowhere.
SPHINX := $(RUN) -m sphinx --fail-on-warning --keep-going --nitpicky --quiet --doctree-dir docs/_build/doctrees
# Tests that also run on the NumPy backend.
NUMPY_TESTS := $(addprefix tests/,core/test_decode.py core/test_decode_errors.py core/test_array_functions.py \
	core/test_edge_cases.py core/test_vectors.py rendering/test_palettes.py rendering/test_render.py \
	rendering/test_windows.py sources/test_not_dicom.py plugins/test_plugin_v3.py plugins/test_prefetch.py) \
	$(wildcard tests/bulk/test_decode_many*.py tests/bulk/test_read_series*.py)

.DEFAULT_GOAL := help
.PHONY: help setup build release fmt lint test test-all bench bench-ratios bench-volumes bench-rust bench-check record numbers demo fuzz fuzz-corpus fuzz-python
.PHONY: test-wheel cross-check licenses downstream unsafe mutations soak asan miri audit docs docs-test docs-pictures docs-links docs-rust clean peers

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready  ## Create the virtual environment with the packages that tests and lints need
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
	$(PIP) install 'maturin>=1.9,<2' --group test --group extras --group lint --group demo --group bench
	@touch $@

build: $(EXTENSION)  ## Build the optimised extension into the virtual environment
$(EXTENSION): $(VENV)/.ready $(SOURCES)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --locked --quiet
	@touch $@

$(TOOLS)/.ready: pyproject.toml
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --group release
	@touch $@

release: $(TOOLS)/.ready  ## Build and check wheel and source distribution in dist/: TARGET=aarch64-unknown-linux-gnu ABI=python3.14t
	rm -rf dist
	PATH="$(abspath $(TOOLS))/bin:$$PATH" .ci/wheels "$(TARGET)" "$(ABI)"
	PATH="$(abspath $(TOOLS))/bin:$$PATH" maturin sdist --out dist
	PATH="$(abspath $(TOOLS))/bin:$$PATH" .ci/check-dist

test-wheel:  ## Test the wheel of dist/ in a new environment without a compiler: ARGS=tests/codecs selects tests
	$(PYTHON) .ci/test_wheel.py $(ARGS)

cross-check:  ## Compile for the other platforms whose standard libraries are installed
	.ci/cross-check

licenses:  ## Write the licences of the linked crates to LICENSE-THIRD-PARTY
	$(PYTHON) rust/third_party_licenses.py

fmt: $(VENV)/.ready  ## Format the sources
	cargo fmt --all
	$(BIN)/ruff format python tests benches
	$(BIN)/ruff check --fix-only --quiet python tests benches

lint: build  ## Check formatting, lints, types and stubs
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet
	$(BIN)/ruff format --check python tests benches docs/*.py docs/_ext/*.py .ci/*.py rust/*.py
	$(BIN)/ruff check python tests benches docs/*.py docs/_ext/*.py .ci/*.py rust/*.py
	$(BIN)/mypy
	$(RUN) -m mypy.stubtest dicoxide._core

test: build  ## Run the tests, Rust and Python, with few examples each (minutes)
	$(RUST_TESTS)
	$(PARALLEL) -m "not serial and not slow"
	$(RUN) -m pytest -q -m "serial and not slow"
	DICOXIDE_PURE_PYTHON=1 $(PARALLEL) -m "not slow" $(NUMPY_TESTS)

test-all: build  ## Run all tests with all examples, and each benchmark once, as CI does
	$(RUST_TESTS)
	DICOXIDE_TEST_ALL=1 $(PARALLEL) -m "not serial"
	DICOXIDE_TEST_ALL=1 $(RUN) -m pytest -q -m serial
	$(PARALLEL) benches --benchmark-disable
	DICOXIDE_TEST_ALL=1 DICOXIDE_PURE_PYTHON=1 $(PARALLEL) $(NUMPY_TESTS)

peers: $(VENV)/.ready  ## Install the other decoders that benchmarks and tests compare with
	$(PIP) install --group peers

bench: build peers  ## Time every decoder at every level, results checked: ARGS="-k codec --benchmark-save=before"
	$(RUN) -m pytest benches --benchmark-only --benchmark-max-time=0.2 --benchmark-columns=median,iqr,rounds --benchmark-group-by=group $(ARGS)

bench-ratios: build peers  ## Time other decoders alternately with dicoxide; print the targets: ARGS="rle --rounds 99"
	$(RUN) benches/ratios.py $(ARGS)

bench-volumes: build peers  ## Compare NIfTI files with those of other converters: ARGS="FOLDER ..."
	$(RUN) benches/compare_volumes.py $(ARGS)

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

fuzz:  ## Fuzz the Rust targets, or target T, for S seconds each: make fuzz T=decode S=600
	@if cargo fuzz --version >/dev/null 2>&1; then \
		for target in $(FUZZ_TARGETS); do \
			mkdir -p target/fuzz/$$target; \
			RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir $(FUZZ) $$target target/fuzz/$$target rust/fuzz/corpus/$$target -- \
				-max_total_time=$(or $(S),60) -max_len=8192 -timeout=20 -print_final_stats=1 || exit 1; \
		done; \
	else \
		echo "cargo-fuzz is not installed (cargo install cargo-fuzz); trying random objects"; \
		DICOXIDE_FUZZ_SECONDS=$(or $(S),60) cargo test --release --locked -p dicoxide-fuzz -- --nocapture; \
	fi

fuzz-corpus: build  ## Rebuild the smallest fuzz corpus with full coverage from seeds and findings
	rm -rf target/fuzz/seeds && PYTHONPATH=tests $(RUN) rust/fuzz/seeds.py target/fuzz/seeds
	for target in $(FUZZ_TARGETS); do \
		rm -rf target/fuzz/least && mkdir -p target/fuzz/least target/fuzz/$$target target/fuzz/seeds/$$target; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir $(FUZZ) $$target -- -set_cover_merge=1 -max_len=4096 \
			target/fuzz/least rust/fuzz/corpus/$$target target/fuzz/seeds/$$target target/fuzz/$$target || exit 1; \
		rm -rf rust/fuzz/corpus/$$target && mv target/fuzz/least rust/fuzz/corpus/$$target; \
	done

fuzz-python: build  ## Fuzz the Python targets, or target T, with atheris: make fuzz-python T=plugin S=600
	.ci/fuzz-python $(abspath $(RUN)) $(or $(S),60) $(T)

downstream: build  ## Run pydicom's own tests and those of packages that use it, with dicoxide: ARGS="-k highdicom"
	.ci/downstream $(abspath $(RUN)) $(ARGS)

unsafe:  ## List each unsafe block with its safety comment
	$(PYTHON) rust/unsafe_blocks.py

asan: $(VENV)/.ready  ## Run Rust and Python tests under AddressSanitizer: ARGS=tests/core selects Python tests
	.ci/asan $(abspath $(RUN)) $(ARGS)

miri:  ## Run the tests of kernels under Miri: ARGS=kernel::bits selects tests
	.ci/miri $(ARGS)

audit: $(VENV)/.ready  ## Check licences and advisories of dependencies with the installed tools
	.ci/audit $(abspath $(RUN))

mutations: build  ## Decode mutated real files through every interface: ARGS="--cases 200000 --json FILE"
	PYTHONPATH=tests $(RUN) -m support.file_mutations $(ARGS)

soak: build  ## Decode concurrently through all interfaces and watch memory: make soak MINUTES=60
	$(RUN) tests/support/soak.py --minutes $(or $(MINUTES),60) $(ARGS)

docs: build  ## Build the documentation site into docs/_build/html, and check its links
	$(PIP) install --group docs
	$(SPHINX) --builder html docs docs/_build/html
	$(RUN) docs/check_site.py docs/_build/html

docs-links: build  ## Check the links of the documentation to other sites
	$(PIP) install --group docs
	$(SPHINX) --builder linkcheck docs docs/_build/linkcheck

docs-test: build  ## Run the code of README.md and of the pages in docs
	$(PARALLEL) tests/docs

docs-pictures: build  ## Draw the pictures of docs/rendering.md
	$(RUN) docs/make_pictures.py

docs-rust:  ## Build the Rust documentation
	cargo doc --no-deps --document-private-items --workspace --locked

clean:  ## Remove build output and the virtual environment
	rm -rf target docs/_build $(VENV) dist demo-output python/dicoxide/_core*.so
