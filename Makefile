# make app     a virtual environment, the requirements, the page
# make test    the same with the test requirements, then every test, browser included
# make check   style, types, layers, licences; the scripts, too, where Node is
# make wheel   what `pip install` takes elsewhere, in dist/
# make supply  the lists of what the page is made of: docs/licences.md, docs/sbom.json
# make soak    half an hour of three browsers that walk at random; what the server uses has to stay flat
# make lock    requirements.lock, every package with its hashes; make audit looks for known holes in them

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c '' 2>/dev/null && echo $$p && break; done)
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
JOBS ?= 2
ORACLES := '^(pytest|torchmetrics|beartype|hypothesis|httpx|POT|torchattacks|scikit-image|hatchling|playwright)=='
BIN := .venv/bin
AUDIT_TOOLS := uv==0.13.9 pip-audit==2.10.1
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: app test soak check lint-js rules format environment browser wheel test-oldest supply lock audit

app: .venv/.app
	$(BIN)/python app.py $(ARGS)

test: .venv/.test browser rules
	OMP_NUM_THREADS=1 CHROMIUM="$(CHROMIUM)" $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

soak: browser
	$(BIN)/python -m benchmarks.soak $(ARGS)

check: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python tools/supply_chain.py check
	@$(MAKE) --silent lint-js

lint-js:
	@command -v npm >/dev/null || { echo "No Node here: the scripts are not checked."; exit 0; }; \
	$(MAKE) --silent node_modules/.package-lock.json && npx eslint --max-warnings 0 latentlab

# axe-core, by whose rules the tests look at every tab.
rules:
	@command -v npm >/dev/null || { echo "No Node here: the tests by the rules of axe-core are skipped."; exit 0; }; \
	$(MAKE) --silent node_modules/.package-lock.json

node_modules/.package-lock.json: package-lock.json
	npm ci --silent --no-audit --no-fund
	touch $@

supply: .venv/.app
	$(BIN)/python tools/supply_chain.py write

# In an environment of its own: both need tools that the page does not.
lock: | .venv/.audit
	.venv/audit/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --output-file requirements.lock requirements.txt

audit: | .venv/.audit
	.venv/audit/bin/pip-audit --strict $$(test -f requirements.lock && echo --require-hashes -r requirements.lock || echo -r requirements.txt)

.venv/.audit: | $(BIN)/python
	$(BIN)/python -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check $(AUDIT_TOOLS)
	touch $@

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

environment: .venv/.test

wheel: .venv/.test
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

# The other end of the ranges in pyproject.toml: all that does not need a browser or an hour, with the oldest releases.
test-oldest: $(BIN)/python
	$(BIN)/python -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet -r requirements-oldest.txt $(shell grep -hE $(ORACLES) requirements*.txt)
	OMP_NUM_THREADS=1 .venv-oldest/bin/python -m pytest -o addopts="--import-mode=importlib --strict-markers" \
	-m "not browser and not slow and not data" $(ARGS)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python3."; exit 1; }
	$(PYTHON) -m venv .venv

# torch first and torchvision without its dependencies: a CPU build of torch (2.13.0+cpu) then stays as it is.
.venv/.app: requirements.txt pyproject.toml | $(BIN)/python
	$(PIP) "$$(grep '^torch==' requirements.txt)"
	$(PIP) --no-deps "$$(grep '^torchvision==' requirements.txt)"
	$(PIP) -r requirements.txt
	$(PIP) --no-deps --editable .
	touch $@

.venv/.test: requirements-dev.txt .venv/.app
	$(PIP) -r requirements-dev.txt
	touch $@

browser: .venv/.test
	@test -n "$(CHROMIUM)" || $(BIN)/playwright install chromium || { \
	echo "The tests drive the page with Chromium and found none: install it (apt-get install chromium, brew install chromium),"; \
	echo "or say where it is (make test CHROMIUM=/path/to/chrome)."; exit 1; }
