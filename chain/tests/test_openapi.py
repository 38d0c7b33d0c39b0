"""Malformed requests, many of them: never a 5xx, and every answer as the OpenAPI document says."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lucid_blocks.app import build_app

from .builders import DiskChain, session_id

pytestmark = pytest.mark.slow

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EACH = 12  # requests to each operation, in either mode


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    disk = DiskChain.make(Path(tmp_path_factory.mktemp("api")) / "chain")
    disk.accept(disk.write.begin(session_id(1)), disk.write.interim(session_id(1), 1))
    disk.decide()
    yield build_app(disk.node)
    disk.close()


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_no_request_breaks_the_api(app: FastAPI, mode: schemathesis.GenerationMode) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        strategy = operation.as_strategy(generation_mode=mode)

        @settings(
            max_examples=EACH,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def requests(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS)

        # An operation without parameters has no malformed request.
        with suppress(Unsatisfiable):
            requests()
