# `make help` lists what can be done here.
.DEFAULT_GOAL := help
PY := .venv/bin/python
BENCH := $(PY) bench

.PHONY: help
help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup:  ## install everything development needs (.venv, Debian packages)
	@scripts/bootstrap dev

.PHONY: demo
demo:  ## the main job on real input, and what tampering looks like; KEEP=1 leaves it running
	@scripts/bootstrap runtime
	$(PY) -m demo $(if $(KEEP),--keep)

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
test: lint  ## everything CI runs: linters, all tests, coverage of each room
	scripts/test

.PHONY: soak
soak: setup  ## the long ones: outages of minutes, memory over half an hour, thousands of payouts
	LUCID_TEST_OUTAGE_S=180 .venv/bin/pytest tests/test_bad_days.py -k chain
	.venv/bin/pytest -m soak wallet/tests
	$(BENCH)/session_memory.py 1800
	$(BENCH)/verify_bundle.py 4000

.PHONY: docs
docs: setup  ## write docs/errors.md from the errors in the code
	$(PY) -m lucid_kit.errors_page lucid_kit lucid_blocks lucid lucid_tron > docs/errors.md

.PHONY: lock
lock:  ## pin dependencies anew
	scripts/lock

.PHONY: bench
bench: bench-chunk bench-recorder bench-connect bench-merkle bench-chain bench-verify bench-stores bench-wallet  ## every benchmark, one after the other

.PHONY: bench-chunk
bench-chunk: setup  ## the chunk step against its three primitives alone
	$(BENCH)/chunk_step.py

.PHONY: bench-recorder
bench-recorder: setup  ## a recorder's CPU against ffmpeg x264 on the same display; a session's memory
	$(BENCH)/recorder_cpu.py
	$(BENCH)/session_memory.py

.PHONY: bench-connect
bench-connect: setup  ## from the API call to the first desktop pixel at an RDP client, 20 times
	$(BENCH)/connect.py
	PYTHONPATH=.:services/tests $(BENCH)/rdp_connect.py

.PHONY: bench-merkle
bench-merkle: setup  ## a million leaves against hashing alone
	$(BENCH)/merkle.py

.PHONY: bench-chain
bench-chain: setup  ## transactions in one block against verifying their signatures alone
	$(BENCH)/chain_block.py

.PHONY: bench-verify
bench-verify: setup  ## a bundle of 1 GB against sha256sum
	$(BENCH)/verify_bundle.py

.PHONY: bench-stores
bench-stores: setup  ## documents and blobs, durable
	$(BENCH)/kit_stores.py

.PHONY: bench-wallet
bench-wallet: setup  ## signing, ledger, scanner and payouts against bare primitives
	$(BENCH)/wallet_sign.py
	$(BENCH)/wallet_ledger.py
	$(BENCH)/wallet_scanner.py
	$(BENCH)/wallet_payouts.py
