# Everything runs in .venv; PYTHON chooses the interpreter that makes it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt

.PHONY: demo lab test quick lint types js benchmarks calibrate clean help

help:
	@echo "make demo   run the quickstart notebook without a screen; writes out/quickstart.html"
	@echo "make lab    open the quickstart notebook in JupyterLab"
	@echo "make test   everything that is tested, in a real kernel and a real browser"
	@echo "make quick  the inner loop: unit and oracle tests, under a minute"
	@echo "make lint   ruff, import order, types"
	@echo "make calibrate  how often the verdict errs, on real differences (DATA=folder of data sets)"
	@echo "make js     rebuild the widgets' bundles (needs Node)"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# torch goes first and pinned: any later package would otherwise pull the newest and largest build
.stamp-demo: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	$(PIP) torch
	$(PIP) --editable ".[demo]"
	@touch $@

.stamp-test: .stamp-demo
	$(PIP) --editable ".[demo,fast,lora,test]"
	@touch $@

demo: .stamp-demo
	$(BIN)/python notebooks/execute.py notebooks/01_quickstart.ipynb --out out

lab: .stamp-demo
	$(BIN)/python -m jupyterlab notebooks/01_quickstart.ipynb

test: .stamp-test
	$(BIN)/python tests/browser/install_chromium.py
	$(BIN)/python -m pytest --durations=15

# what is trained, started or compiled stays out, also of the collecting
quick: .stamp-test
	$(BIN)/python -m pytest -q -x -m "not slow and not model and not jobs and not browser and not notebook" \
		--ignore tests/browser --ignore tests/jobs --ignore tests/maps

lint: .stamp-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

js:
	npm --prefix js ci --no-audit --no-fund
	npm --prefix js run build

benchmarks: .stamp-test
	$(BIN)/python benchmarks/training.py

# DATA=FOLDER calibrates on the data sets in it, else on the documentation of installed libraries
calibrate: .stamp-test
	$(BIN)/python benchmarks/calibration.py $(if $(DATA),--data $(DATA))

clean:
	rm -rf $(VENV) .stamp-* out
