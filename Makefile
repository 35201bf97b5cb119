# The workbook's commands. `make` alone lists them; the first that needs it makes .venv and installs requirements.txt.

.DEFAULT_GOAL := help
PY := .venv/bin/python
STAMP := .venv/installed
# The longest first, so that the processes end together.
NOTEBOOKS := $(patsubst %,notebooks/%.ipynb,PyTorch FullyConnectedNets BatchNormalization ConvolutionalNetworks Dropout)

# Tests run one process per core, so each keeps BLAS and PyTorch to one thread; all compare with the stored outputs.
THREADS := 1
TEST_SETTINGS := CS231N_DATA=shapes10 $(foreach library,OPENBLAS OMP MKL,$(library)_NUM_THREADS=$(THREADS))

# With it, Python would not find the packages of this folder.
unexport PYTHONSAFEPATH

# An environment whose Python is gone, or that was moved or copied here from another folder, is built again.
USABLE := $(shell test -f $(STAMP) && $(PY) -c "" 2>/dev/null && test "`cat .venv/made-in`" = "`pwd -P`" && echo yes)

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## make .venv and install requirements.txt (the other commands do it when needed)

run: $(STAMP) ## execute the lessons and make a site of them under build/ (LESSONS="Dropout PyTorch" picks)
	@$(PY) -m tools.lessons.run_lessons $(LESSONS)

test: $(STAMP) ## unit tests, and every lesson against its stored outputs
	@$(TEST_SETTINGS) $(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		--durations 10 --durations-min 5 --nbval $(NOTEBOOKS) tests

score: $(STAMP) ## test the exercises and show the points (OPTIONS="affine_forward --hint" and others: --help)
	@$(PY) -m tools.course.score $(OPTIONS)

student: $(STAMP) ## write the student edition to student/ (DESTINATION=folder for another place)
	@$(PY) -m tools.course.student_edition $(DESTINATION)

rehearsal: $(STAMP) ## walk the whole course, from the student edition to the submission, and make its mistakes (12 minutes)
	@$(TEST_SETTINGS) $(PY) -m pytest -v -n logical --maxprocesses 3 --dist loadfile tests/tools/*rehearsal.py

nightly: $(STAMP) ## thousands of odd and wrong calls of layers, rules and nets; lessons and their site in a browser
	@$(PY) -m pip install -qr requirements-nightly.txt
	@$(TEST_SETTINGS) $(PY) -m pytest -n logical --dist loadfile --hypothesis-profile=nightly \
		tests/layers/test_odd_arguments.py tests/lessons/in_jupyterlab.py tests/lessons/site_in_browser.py

matrix: $(STAMP) ## all tests under other Pythons, NumPys, BLAS kernels, with CIFAR-10 (an hour; SESSION=cifar10 picks)
	@$(PY) -m pip install -qr requirements-nightly.txt
	@$(PY) -m nox $(if $(SESSION),-s "$(SESSION)")

mutants: $(STAMP) ## plant small errors in the package: do the tests notice? (hours; MUTANTS="cs231n.optim*" picks)
	@$(PY) -m pip install -qr requirements-nightly.txt
	@$(TEST_SETTINGS) $(PY) -m mutmut run $(if $(MUTANTS),"$(MUTANTS)")
	@$(PY) -m mutmut results

lint: $(STAMP) ## check style and format of the code and the lessons (`.venv/bin/ruff format .` puts the format right)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

lab: $(STAMP) ## open the lessons in JupyterLab
	@$(PY) -m jupyterlab notebooks

data: $(STAMP) ## fetch CIFAR-10 into datasets/
	@PATH="$(abspath $(dir $(PY))):$$PATH" bash datasets/get_datasets.sh

bench: $(STAMP) ## time the layers and the training steps beside PyTorch's
	@$(PY) -m benchmarks

clean: ## remove build/ and caches; .venv, .nox, mutants/ and datasets/ stay
	@rm -rf build dist *.egg-info .pytest_cache .hypothesis .ruff_cache
	@find . \( -path ./.venv -o -path ./.nox \) -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# The stamp is written last: an install that was cut short has none and is taken up again.
$(STAMP): requirements.txt $(if $(USABLE),,FORCE)
	@rm -f $@
	@PYTHON="$(PYTHON)" sh tools/install/install.sh
	@touch $@

FORCE:
.PHONY: help install run test score lab data bench student rehearsal nightly matrix mutants lint clean FORCE
