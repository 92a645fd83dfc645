# make repro: set up, then run the pipeline. make test: set up, then test. Both are quick when repeated.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: repro clone test test-all lint lock review
repro: clone .venv/ready
	dvc repro
	@cat reports/model_card.md

# DVC works in a git repository alone: said before anything is set up.
clone:
	@git rev-parse --git-dir > /dev/null || { echo "error: $(CURDIR) is no git clone, and DVC needs one" >&2; \
	  echo "  hint: git clone the project, or here: git init && git add . && git commit -m start" >&2; exit 2; }

# A process a core, each with one thread; a file's tests stay together, for they share what they made.
test: .venv/ready
	OMP_NUM_THREADS=1 pytest -n auto --dist loadfile -m "not slow"

test-all: .venv/ready
	OMP_NUM_THREADS=1 pytest -n auto --dist loadfile

# What a change did to the figures: make review, or BASE=revision. The plots of both lie over each other in .cache/plots.
BASE ?= main
review: .venv/ready
	@.ci/review $(BASE)
	@mkdir -p .cache
	@dvc plots diff --quiet --out .cache/plots $(BASE)

lint: .venv/ready
	ruff check . && ruff format --check . && mypy

# uv comes from the lock too: pip only fetches the first one. Versions and hashes, no addresses.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("deepfake needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv --clear .venv
	pip install --quiet --disable-pip-version-check uv
	uv pip sync --quiet --compile-bytecode --python .venv requirements.lock
	uv pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	touch $@

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --extra app --extra case --extra dask --extra db --extra dev --extra explain --extra onnx --extra serve pyproject.toml --output-file requirements.lock
