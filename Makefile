# One command for each habit. The work is done by the scripts in tools/; everything lands in .venv.
#
#   PYTHON=python3.12   the interpreter that makes .venv (else: the newest that is found)
#   ARGS="-k outbox"    handed on to the command
#   WORKERS=2           processes that share the tests; ARGS="-n 0" runs them in one, as --pdb needs
.PHONY: help demo test prove bench style format types setup peer names clean

RUN = .venv/bin/python -m
# One more than there are cores, for tests wait more than they compute; more than 8 gain nothing.
WORKERS = $(shell cores=$$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); \
	[ $$cores -lt 8 ] && expr $$cores + 1 || echo 8)

help:
	@echo 'make demo     watch two nodes lose their broker and not one event (30 s)'
	@echo 'make test     the whole test suite'
	@echo 'make prove    the longer proofs'
	@echo 'make bench    how fast links and events are, beside the predecessor'
	@echo 'make style    ruff check and ruff format --check      make format   mend both'
	@echo 'make types    mypy --strict                           make names    pin the public names'
	@echo 'make peer     the other packages, for tests with them  make setup    only the environment'
	@echo 'make clean    away with all of it'

demo:
	@sh tools/setup.sh demo,web
	@.venv/bin/gwproactor demo $(ARGS)

test: setup
	@sh tools/mosquitto.sh
	@$(RUN) pytest -m 'not prove' -n $(WORKERS) $(ARGS)

prove: setup
	@sh tools/mosquitto.sh
	@$(RUN) pytest -m prove $(ARGS)

bench: setup peer
	@GWPROACTOR_REQUIRE_MOSQUITTO=1 sh tools/mosquitto.sh
	@$(RUN) benchmarks $(ARGS)

style: setup
	@$(RUN) ruff check $(ARGS)
	@$(RUN) ruff format --check $(ARGS)

format: setup
	@$(RUN) ruff check --fix $(ARGS)
	@$(RUN) ruff format $(ARGS)

types: setup
	@$(RUN) mypy --strict $(ARGS)
	@$(RUN) mypy --strict docs/scada.py

names: setup
	@.venv/bin/python tests/test_public_names.py
	@.venv/bin/python tests/test_settings_page.py

setup:
	@sh tools/setup.sh dev

peer:
	@sh tools/peer.sh

clean:
	rm -rf .venv .peer-venv .protocol-venv .bench dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find gwproactor gwproactor_test tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
