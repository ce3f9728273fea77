"""The OpenAPI document, on which clients rely, is the committed one."""

import json
from pathlib import Path

from app.api.app import create_app
from app.config.settings import Settings

ROOT = Path(__file__).parents[2]
SNAPSHOT = ROOT / "docs/openapi.json"


def document():
    # Through JSON once: tuples become lists.
    return json.loads(json.dumps(create_app(Settings()).openapi()))


def test_the_openapi_document_is_the_committed_one():
    """A change of the interface is meant, or it is a bug. If meant: python -m tests.integration.test_contract"""
    assert document() == json.loads(SNAPSHOT.read_text())


def test_the_openapi_document_has_examples_and_every_status():
    answer = document()["paths"]["/v1/answer"]["post"]
    assert {"200", "400", "413", "415", "422", "429", "502", "503", "504"} <= set(answer["responses"])
    assert document()["components"]["schemas"]["AnswerRequest"]["examples"]
    items = document()["components"]["schemas"]["AnswersRequest"]["properties"]["questions"]["items"]
    assert items["title"] == "AnswerRequest"


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(document(), indent=1, ensure_ascii=False) + "\n")
