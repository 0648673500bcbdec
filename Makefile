# Two commands matter: `make demo` runs an episode, `make test` passes the tests. Each makes what it
# needs in .venv and nothing outside this folder but the user's cache of prepared data and images.
#
#   make demo    install, then run the reference solution of house_price to a score
#   make test    install the development tools too, then run every test that can run here,
#                JOBS=2 at a time
#   make test-attacks   the attack suite alone
#   make test-faults   the fault suite, which mounts disks and starts a Docker daemon of its own
#   make test-fuzz N=100000   so many random actions instead of CI's 5,000
#   make test-soak   play 1,000 episodes in one process on each sandbox, and reset environments of a
#                     vector 10,000 times: nothing may grow
#   make test-soak-vector   step 256 environments for ten minutes while their sandboxes are killed at
#                     random; MLGYM_SOAK_SEED=N repeats the kills of a run
#   make test-tasks   prove every shipped task wholly, its trainings too: an hour, with all images;
#                     what was proved before and has not changed is kept
#   make test-resume   kill a run at 20 random moments and resume it, instead of 3
#   make test-suite   kill a suite of 24 runs three times, and a Docker daemon under another one
#   make test-local   ten steps by a real small model, in process and at a llama.cpp server: minutes,
#                     and on the first time 400 MB of packages
#   make test-speed   whether a step, a reset, a vector and so on take more times what plain bash does
#                     than tests/bench/bounds.yaml allows: under a minute
#   make test-integrations   the extras `ray`, `trl`, `verifiers` and `local` against the real libraries; on the
#                     first time they are installed, PyTorch with them
#   make screenshots   the docs' pictures of `mlgym view`, by its browser tests
#   make bench-view   how soon the viewer shows 10,000 runs, and a run of 5,000 steps
#   make lint    format, style, types and layers
#   make docs    build the documentation into site/, strictly
#   make clean   remove what these made in this folder, but for runs/: those are results

PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
# Built before the tests, whose time is limited: a gigabyte may have to come first.
IMAGES := $(notdir $(wildcard containers/*))
TEST_HOME := $(or $(MLGYM_TEST_HOME),$(CURDIR)/.cache/mlgym-test)

.PHONY: demo test test-soak test-soak-vector test-attacks test-faults test-fuzz test-tasks test-resume test-suite test-local test-integrations test-speed screenshots bench-view lint docs clean

demo: .venv/installed
	$(BIN)/mlgym run --task house_price --agent oracle --sandbox bubblewrap

test: .venv/installed-dev
	for image in $(IMAGES); do MLGYM_HOME=$(TEST_HOME) $(BIN)/mlgym images build $$image || exit 1; done
	$(BIN)/pytest -n $(JOBS) --dist worksteal --ignore tests/faults --ignore tests/local --ignore tests/integrations

test-soak: .venv/installed-dev
	MLGYM_SOAK_EPISODES=1000 MLGYM_SOAK_RESETS=10000 $(BIN)/pytest -s tests/test_soak.py

test-soak-vector: .venv/installed-dev
	MLGYM_SOAK_ENVS=256 MLGYM_SOAK_SECONDS=600 $(BIN)/pytest -s tests/test_soak_kills.py

test-attacks: .venv/installed-dev
	$(BIN)/pytest tests/attacks

test-faults: .venv/installed-dev
	$(BIN)/pytest tests/faults

N ?= 100000
test-fuzz: .venv/installed-dev
	MLGYM_FUZZ_ACTIONS=$(N) $(BIN)/pytest --timeout 0 tests/fuzz

test-tasks: .venv/installed-dev
	MLGYM_TEST_TASKS=all $(BIN)/pytest tests/tasks

test-resume: .venv/installed-dev
	MLGYM_RESUME_KILLS=20 $(BIN)/pytest --timeout 0 tests/runs/test_resume.py

test-suite: .venv/installed-dev
	MLGYM_SUITE_KILLS=3 $(BIN)/pytest --timeout 0 tests/runs/test_suite_kills.py \
		tests/faults/test_suite_daemon.py

test-local: .venv/installed-local
	$(BIN)/pytest tests/local

test-speed: .venv/installed-dev
	for sandbox in bubblewrap docker; do MLGYM_HOME=$(TEST_HOME) $(BIN)/mlgym bench \
		--sandbox $$sandbox --check tests/bench/bounds.yaml || exit 1; done

test-integrations: .venv/installed-integrations
	$(BIN)/pytest tests/integrations

screenshots: .venv/installed-dev
	MLGYM_SHOTS=$(CURDIR)/docs/assets/view $(BIN)/pytest tests/view/browser/test_shots.py

bench-view: .venv/installed-dev
	PYTHONPATH=tests:tests/view/browser $(BIN)/python tests/view/browser/speed.py

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv site dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache .cache

# The stamps are newer than pyproject.toml once its dependencies are installed, so that a second
# call costs nothing. They lie in .venv: a new environment is a new installation. Python compiles
# what is imported: compiling everything beforehand would take half of the installation's time.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --editable .
	touch $@

.venv/installed-dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --editable '.[dev]'
	touch .venv/installed $@

.venv/installed-local: .venv/installed-dev
	$(BIN)/pip install --quiet --no-compile --editable '.[local]' 'xllamacpp>=2026.10'
	touch $@

.venv/installed-integrations: .venv/installed-dev
	$(BIN)/pip install --quiet --no-compile --editable '.[ray,trl,verifiers,local]'
	touch $@
