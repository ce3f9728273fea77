"""The OpenAPI document and the page that shows it: every example is what the schema says, and nothing comes from elsewhere."""

import hashlib
import json
import re
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import jsonschema_rs
import pytest

from app.api import documents, examples
from app.api.app import create_app
from app.api.error_form import openai_status
from app.api.errors import STATUS
from app.config.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "app/api/swagger"
PAGE_PATHS = [endpoint.path for endpoint in documents.documents_face().endpoints]


@pytest.fixture(scope="module")
def document():
    return json.loads(json.dumps(create_app(Settings()).openapi()))


def shown(content):
    """The examples of a body."""
    return [content["example"]] if "example" in content else [named["value"] for named in content.get("examples", {}).values()]


def validator(document, schema):
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def bodies(document):
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, reply in operation["responses"].items():
                for kind, content in reply.get("content", {}).items():
                    yield path, status, kind, content


def test_every_body_has_an_example_that_is_as_its_schema_says(document):
    seen = 0
    for path, status, kind, content in bodies(document):
        found = shown(content)
        assert found, (path, status, kind)
        for example in found:
            problems = [str(error) for error in validator(document, content["schema"]).iter_errors(example)]
            assert not problems, (path, status, kind, problems[0])
            seen += 1
    assert seen > 50


def test_an_example_that_is_not_as_its_schema_says_would_be_found(document):
    content = document["paths"]["/v1/answer"]["post"]["responses"]["200"]["content"]["application/json"]
    for name in ("cloud", "tau", "answer", "edge"):
        spoilt = {key: value for key, value in shown(content)[0].items() if key != name}
        assert list(validator(document, content["schema"]).iter_errors(spoilt))


def test_requests_have_examples_that_are_as_their_schema_says(document):
    for name in ("AnswerRequest", "AnswersRequest"):
        schema = document["components"]["schemas"][name]
        for example in schema["examples"]:
            assert not list(validator(document, schema).iter_errors(example))
    assert document["components"]["schemas"]["AnswersRequest"]["examples"][0]["questions"]


def test_every_status_of_every_operation_has_an_error_of_that_status(document):
    status_of = {kind.code: status for kind, status in STATUS.items()}
    for path, status, _, content in bodies(document):
        for example in shown(content):
            if isinstance(example, dict) and (error := example.get("error")):
                assert status_of.get(error["type"], int(status)) == int(status), path
                if "code" in error:
                    assert openai_status(status_of.get(error["code"], int(status))) == int(status), path
                assert error["request_id"] == examples.REQUEST_ID


def test_answers_show_an_edge_a_cloud_and_a_degraded_one():
    found = {name: entry["value"] for name, entry in examples.ANSWERS.items()}
    assert {name: (body["route"], body["degraded"], body["cloud"] is None) for name, body in found.items()} == {
        "edge": ("edge", False, True),
        "cloud": ("cloud", False, False),
        "degraded": ("edge", True, True),
    }
    for body in found.values():
        assert sum(body["edge"]["answer_probabilities"].values()) == pytest.approx(1)
        assert (body["confidence"] >= body["tau"]) == (body["reason"] == "confident")
        assert body["answer"] in body["edge"]["answer_probabilities"]
    lines = [json.loads(line) for line in examples.LINES.splitlines()]
    assert sorted(line["index"] for line in lines) == [0, 1, 2]


def test_the_document_says_how_to_send_a_key_where_keys_are_configured(tmp_path):
    (tmp_path / "k").write_text('{"keys": []}')
    document = create_app(Settings(security={"keys": tmp_path / "k"})).openapi()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    needs = {path: [operation["security"] for operation in operations.values()] for path, operations in document["paths"].items()}
    assert needs == {
        "/v1/answer": [[{"key": []}]],
        "/v1/answers": [[{"key": []}]],
        "/v1/chat/completions": [[{"key": []}]],
        "/v1/responses": [[{"key": []}]],
        "/v1/systemone": [[{"key": []}]],
        "/v1/decisions": [[{"key": []}]],
        "/v1/models": [[{"key": []}]],
        "/v1/models/{model}": [[{"key": []}]],
        "/metrics": [[{"key": []}]],
        "/health/live": [[]],
        "/health/ready": [[]],
    }
    open_metrics = create_app(Settings(security={"keys": tmp_path / "k", "public_metrics": True})).openapi()
    assert open_metrics["paths"]["/metrics"]["get"]["security"] == []
    assert "securitySchemes" not in create_app(Settings()).openapi()["components"]


def test_the_document_follows_a_reload(tmp_path):
    (tmp_path / "k").write_text('{"keys": []}')
    app = create_app(Settings())
    before = json.dumps(app.openapi())
    access = app.state.access
    without, with_keys = replace(access), create_app(Settings(security={"keys": tmp_path / "k"})).state.access
    access.take(with_keys)
    assert app.openapi()["paths"]["/v1/answer"]["post"]["security"] == [{"key": []}]
    assert app.openapi()["components"]["securitySchemes"]
    access.take(without)
    assert json.dumps(app.openapi()) == before


def test_the_page_asks_nobody_but_the_gateway():
    for name in ("index.html", "init.js"):
        assert not re.findall(r"(?:https?:)?//[a-z]", (FOLDER / name).read_text().replace("// ", "")), name
    page = (FOLDER / "index.html").read_text()
    assert set(re.findall(r'(?:src|href)="([^"]+)"', page)) == {*(path.removeprefix("/") for path in PAGE_PATHS if path != documents.DOCS)}
    assert "<script>" not in page


def test_what_is_not_our_own_is_the_npm_package_byte_for_byte_with_its_licenses():
    readme = (FOLDER / "README.md").read_text()
    listed = dict(re.findall(r"^\| `([0-9a-f]{64})` \| `(.+)` \|$", readme, re.MULTILINE))
    assert {name: digest for digest, name in listed.items()} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FOLDER.iterdir()
        if path.name not in {"index.html", "init.js", "README.md"}
    }
    assert {"LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"} <= set(listed.values())
    version = re.search(r"^version: (\S+)$", readme, re.MULTILINE)[1]
    assert f"swagger-ui-dist@{version}" in (ROOT / "Makefile").read_text()


def test_the_files_are_part_of_the_package():
    import tomllib

    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["app"]
    for path in FOLDER.iterdir():
        assert any(fnmatch(str(path.relative_to(ROOT / "app")), pattern) for pattern in patterns), path
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_500_000
