"""`foggate cloud check`: what it says of an endpoint, and its exit code. Real HTTP; one process."""

import asyncio
import json
import subprocess

import pytest

from app.bench.processes import free_port
from app.cloud.build import build_single_clients
from app.cloud.check import _EASY, check
from app.config.settings import Settings
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.server import create_demo
from tests.support.clouds import answering, completion, scripted
from tests.support.processes import foggate
from tests.support.servers import serving

ROWS = load_rows([SHIPPED_BANK])
KEY = "canary-sk-0123456789"


async def checked(url, questions=3, **cloud):
    settings = Settings(cloud={"base_url": url, "model": "m", "timeout_s": 5, **cloud})
    probe = settings.cloud.answer_format == "auto"
    return [await check(make, questions=questions, timeout_s=5, probe=probe) for make in build_single_clients(settings)]


async def test_an_endpoint_that_works():
    async with serving(create_demo(Bank(ROWS, accuracy=1.0))) as url:
        (found,) = await checked(url + "/v1", questions=len(_EASY))
    assert found.works
    assert not found.problems
    assert len(found.asked) == len(_EASY)
    assert all(one.read == one.correct and one.status == 200 and one.usage["prompt_tokens"] > 0 for one in found.asked)
    assert found.asked[0].reply == f"Final answer: {found.asked[0].correct}"
    assert found.asked[0].answer_format == "text"


@pytest.mark.parametrize(
    ("reply", "key", "says", "calls"),
    [
        ((401, {"error": {"message": f"Incorrect key {KEY}"}}), KEY, "refuses the key (401): look at FOGGATE_CLOUD__API_KEY", 1),
        ((401, {}), None, "wants a key (401): set FOGGATE_CLOUD__API_KEY", 1),
        ((403, {}), KEY, "the key may not do this (403)", 1),
        ((404, {"error": {"message": "The model `m` does not exist"}}), None, "the model 'm' is not known there (404)", 1),
        ((301, b""), None, "redirects (301), which is not followed: look at the base_url", 1),
        ((200, completion(7)), None, "has no text", 3),
        ((402, {}), KEY, "no credit (402)", 1),
        ((400, {"error": {"message": "Unsupported parameter: 'max_tokens'"}}), None, "Unsupported parameter: 'max_tokens'", 1),
        ((429, {"error": {"message": "Rate limit reached"}}), None, "over its rate", 3),
        ((500, {}), None, "did not answer", 3),
        ((200, b"<html><title>Maintenance</title>"), None, "not JSON. The endpoint says: Maintenance", 3),
        ((200, completion("I do not know.")), None, "names no single offered option", 3),
        ((200, {"choices": [{"message": {"content": "Let me"}, "finish_reason": "length"}]}), None, "raise cloud.max_tokens", 3),
        ((200, {"choices": []}), None, "its list of choices is empty", 3),
    ],
)
async def test_what_is_wrong_is_a_sentence(reply, key, says, calls):
    async with scripted(reply) as server:
        (found,) = await checked(server.url + "/v1", **({"api_key": key} if key else {}))
    assert not found.works
    assert says in found.problems[0]
    assert KEY not in str(found)
    assert server.calls == calls, "what does not pass by itself is asked once"


async def test_names_that_do_not_resolve_and_ports_where_nobody_listens():
    (nowhere,) = await checked("http://no-such-host.invalid/v1")
    assert "host name cannot be resolved" in nowhere.problems[0]
    (refused,) = await checked(f"http://127.0.0.1:{free_port()}/v1")
    assert "the connection is refused" in refused.problems[0]


async def test_a_certificate_that_nobody_signed(tmp_path):
    where = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem"), "-subj", "/CN=x", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *where], check=True, capture_output=True)
    pair = {"ssl_certfile": str(tmp_path / "cert.pem"), "ssl_keyfile": str(tmp_path / "key.pem")}
    async with serving(create_demo(Bank([])), **pair) as url:
        (found,) = await checked(url.replace("http:", "https:") + "/v1")
    assert "the certificate of the cloud is not accepted (self-signed" in found.problems[0]
    assert "SSL_CERT_FILE" in found.problems[0]


async def test_each_endpoint_is_checked_with_the_form_it_takes():
    def reply(body):
        return completion("A") if "structured_outputs" in body else completion("Final answer: C")

    async with answering(reply) as good, scripted((404, {})) as bad:
        found = await checked(good.url, endpoints={"b": {"base_url": bad.url}}, answer_format="auto")
    assert [(one.name, one.works) for one in found] == [("default", True), ("b", False)]
    assert found[0].asked[0].answer_format == "choice"


async def test_the_command_says_whether_it_works():
    async with scripted((200, completion("Final answer: C"))) as server:
        run = asyncio.to_thread(foggate, "cloud", "check", "--questions", "2", "--json", FOGGATE_CLOUD__BASE_URL=server.url + "/v1")
        done = await run
        assert done.returncode == 0, done.stderr
        (found,) = json.loads(done.stdout)["endpoints"]
        assert (found["works"], len(found["asked"]), server.calls) == (True, 2, 2)
    async with scripted((401, {})) as server:
        done = await asyncio.to_thread(foggate, "cloud", "check", FOGGATE_CLOUD__BASE_URL=server.url, FOGGATE_CLOUD__API_KEY=KEY)
    assert done.returncode == 1
    assert "refuses the key (401)" in done.stdout
    assert "does not work" in done.stdout
    assert KEY not in done.stdout + done.stderr


def test_without_a_cloud_there_is_nothing_to_check():
    done = foggate("cloud", "check")
    assert done.returncode == 2
    assert "no cloud is configured" in done.stderr
