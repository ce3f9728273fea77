"""Every endpoint whose clients read another form of errors gets it from whatever refuses a request, before its route and after."""

import openai
import pytest

from app.api.app import create_app
from app.api.decision.errors import decisions_error, system_one_error
from app.api.error_form import openai_error
from app.config.settings import Settings
from tests.integration.test_api import gateway
from tests.integration.test_openai_chat import client_of
from tests.integration.test_security import ALL, key_file

FORMS = {one.path: one.error_form for one in create_app(Settings()).endpoints if one.error_form is not None}
READ = {path for path in FORMS if path.startswith("/v1/models")}
JSON = {"content-type": "application/json"}
# What refuses it: the method, the host's name, the type of the body, its size, its JSON, a field.
REQUESTS = {
    "method": ("GET", {}),
    "host": ("POST", {"json": {}, "headers": {"host": "rebound.example"}}),
    "type": ("POST", {"content": b"{}", "headers": {"content-type": "text/plain"}}),
    "size": ("POST", {"content": b'"' + b"x" * 4000 + b'"', "headers": JSON}),
    "json": ("POST", {"content": b"{", "headers": JSON}),
}


def test_every_interface_of_other_clients_names_its_form():
    assert {
        "/v1/chat/completions": openai_error,
        "/v1/completions": openai_error,
        "/v1/responses": openai_error,
        "/v1/models": openai_error,
        "/v1/models/{model:path}": openai_error,
        "/v1/systemone": system_one_error,
        "/v1/decisions": decisions_error,
    } == FORMS


@pytest.mark.parametrize("what", REQUESTS)
async def test_the_error_is_that_of_the_gateway_in_the_form_of_the_path(what):
    method, request = REQUESTS[what]
    async with gateway(cloud=False, limits={"max_body_bytes": 2000}) as (http, _):
        ours = await http.request(method, "/v1/answer", **request)
        # This one refuses whatever it is asked, in a handler of its own.
        for path in FORMS.keys() - READ - ({"/v1/completions"} if what == "json" else set()):
            reply = await http.request(method, path, **request)
            error = {**ours.json()["error"], "request_id": reply.headers["x-request-id"]}
            body, status = FORMS[path](error, ours.status_code)
            assert (reply.status_code, reply.json()) == (status, body), path
            assert reply.headers["content-length"] == str(len(reply.content))
            assert ours.headers.get("allow") == reply.headers.get("allow")


async def test_an_error_of_a_handler_has_the_form_too_and_a_name_that_is_no_unicode_is_shown():
    async with gateway(cloud=False) as (http, _):
        broken = b'{"model": "m", "state": "s", "questions": {"a\\ud800": {"type": "noul", "more": 1}}}'
        reply = await http.post("/v1/systemone", content=broken, headers=JSON)
        completions = await http.post("/v1/completions", json={})
    assert (reply.status_code, reply.json()["detail"][0]["type"]) == (422, "invalid_question")
    assert (completions.status_code, completions.json()["error"]["code"]) == (404, "not_passed_on")


async def test_an_error_of_the_list_of_models_has_the_form_whoever_refuses_the_request(tmp_path):
    plain, _ = key_file(tmp_path / "k", {}, ALL)
    async with gateway(cloud=False, security={"keys": tmp_path / "k"}) as (http, _), client_of(http, api_key="wrong") as client:
        for path in ("/v1/models", "/v1/models/foggate"):
            for status, kind, code, reply in (
                (401, "authentication_error", "unauthorized", await http.get(path)),
                (405, "invalid_request_error", "method_not_allowed", await http.delete(path, headers=plain)),
            ):
                error = reply.json()["error"]
                assert (reply.status_code, error["type"], error["code"]) == (status, kind, code), path
                assert error["request_id"] == reply.headers["x-request-id"]
        with pytest.raises(openai.AuthenticationError) as refused:
            await client.models.list()
    assert refused.value.code == "unauthorized"
