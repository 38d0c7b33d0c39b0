# `make help` lists what can be done here.
.DEFAULT_GOAL := help
PY := .venv/bin/python

.PHONY: help
help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup:  ## install everything development needs (.venv, Debian packages)
	@scripts/bootstrap dev

.PHONY: demo-payout
demo-payout: setup  ## 50 operators paid once in USDT on a devnet, with a kill -9 in the middle
	$(PY) -m demo.payout

.PHONY: lint
lint: setup  ## ruff, mypy strict, import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy proof/src kit/src chain/src wallet/src services/src
	.venv/bin/lint-imports

.PHONY: test
test: lint  ## everything CI runs
	.venv/bin/pytest

.PHONY: lock
lock:  ## pin dependencies anew
	scripts/lock
