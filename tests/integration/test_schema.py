"""The gateway against its own OpenAPI document: requests made from it, valid and not; every reply as it says, no 5xx."""

import threading
import time

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from app.api.app import create_app
from app.api.server import listen
from app.config.settings import Settings
from app.edge.build import with_engine
from tests.support.fakes import FakeEngine

EXCEPT = {
    # A schema cannot say that a question is not blank, nor that options differ, once they are on one line.
    "/v1/answer": [positive_data_acceptance],
    # A wrong question among several gets an error of its own inside a 200.
    "/v1/answers": [positive_data_acceptance, negative_data_rejection],
    # A schema cannot say what a multiple-choice question is, and there is no cloud that anything else could go to.
    "/v1/chat/completions": [positive_data_acceptance],
    "/v1/responses": [positive_data_acceptance],
    # Names of models are in no schema.
    "/v1/models/{model}": [positive_data_acceptance],
    # Nor can a schema tell how many options there may be in all forms, or which of their texts are the same.
    "/v1/systemone": [positive_data_acceptance],
    "/v1/decisions": [positive_data_acceptance],
}


@pytest.fixture(scope="module")
def document():
    app = create_app(Settings(policy={"tau": 0.5}), edge=with_engine(lambda _: FakeEngine()))
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while app.state.gateway.status != "ready":
            assert thread.is_alive(), "the server ended before it was ready"
            time.sleep(0.01)
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{listener.getsockname()[1]}/openapi.json")
        server.should_exit = True
        thread.join()


def test_every_reply_is_as_the_document_says(document):
    checked = []
    for found in document.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:
            try:
                _conforms(operation.as_strategy(generation_mode=mode), EXCEPT.get(operation.path, []))
            except Unsatisfiable:
                # A GET without parameters has no wrong form.
                assert (mode, operation.method) == (GenerationMode.NEGATIVE, "get")
        checked.append(f"{operation.method.upper()} {operation.path}")
    assert {
        "POST /v1/answer",
        "POST /v1/answers",
        "POST /v1/chat/completions",
        "GET /v1/models/{model}",
        "GET /health/ready",
        "GET /v1/models",
    } <= set(checked)


def _conforms(cases, excepted):
    @given(case=cases)
    @settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def conforms(case):
        case.call_and_validate(excluded_checks=excepted)

    conforms()
