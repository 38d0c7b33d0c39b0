"""The OpenAPI document is kept: whatever is sent, no answer is a fault of ours or of another shape than it
says.
"""

from collections.abc import Iterator
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .plant import Plant

pytestmark = pytest.mark.real

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
EACH = 12  # requests to each operation, in either mode


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """A service with one closed session, so that ids lead somewhere."""
    plant = Plant(tmp_path_factory.mktemp("openapi"), block_ms=250)
    plant.start(chunk_ms=300, keyframe_ms=1000)
    id_ = plant.create()["id"]
    plant.recorded(id_, 1)
    plant.ok("POST", f"/sessions/{id_}/stop")
    plant.anchored(id_)
    yield plant
    plant.close()


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_brings_an_answer_that_the_document_does_not_have(
    running: Plant, mode: GenerationMode
) -> None:
    assert running.service is not None
    known = running.ok("GET", "/sessions")["sessions"][0]["id"]
    schema = schemathesis.openapi.from_url(f"{running.service.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:
        # Well-formed ones would make real desktops by the dozen.
        if (operation.method.upper(), operation.path) == ("POST", "/sessions") and mode.is_positive:
            continue
        strategy = operation.as_strategy(generation_mode=mode)
        tried = 0

        @settings(
            max_examples=EACH,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def requests(case: schemathesis.Case) -> None:
            nonlocal tried
            tried += 1
            if mode.is_positive and tried % 2 and "session_id" in case.path_parameters:
                case.path_parameters["session_id"] = known
            case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {running.token}"})

        with suppress(Unsatisfiable):
            requests()
