"""What a browser does with the gateway: the page at /docs, and requests of pages of other origins. A real Chromium."""

import contextlib
import json
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.integration.test_api import ASK, gateway
from tests.integration.test_security import ALL, key_file
from tests.support.browser import PATH, WHY_NOT, chromium
from tests.support.servers import serving

pytestmark = pytest.mark.skipif(PATH is None, reason=WHY_NOT)

CLICK = "(text => { const found = [...document.querySelectorAll('button')].find(b => b.innerText.trim() === text); found?.click(); return !!found })"

OPERATIONS = [kind for path in json.loads(Path("docs/openapi.json").read_text())["paths"].values() for kind in path]


async def test_the_page_at_docs_asks_a_question_with_a_key_and_nothing_from_elsewhere(tmp_path):
    (key,) = key_file(tmp_path / "k", ALL)
    secret = key["authorization"].removeprefix("Bearer ")
    async with gateway(cloud=False, security={"keys": tmp_path / "k"}) as (http, _), chromium(tmp_path) as browser:
        base = str(http.base_url).rstrip("/")
        async with browser.page(base + "/docs") as page:
            await page.until(f"document.querySelectorAll('.opblock').length === {len(OPERATIONS)}")
            assert await page.run("document.title") == "FogGate"
            await page.run("document.querySelector('#operations-answers-answer_v1_answer_post .opblock-summary-control').click()")
            # Without a key the reply is the 401 that the page shows.
            await page.until(f"{CLICK}('Try it out')")
            await page.until(f"{CLICK}('Execute')")
            await page.until("document.querySelector('.live-responses-table tbody .response-col_status')?.innerText.startsWith('401')")
            # The answer and the errors have examples.
            assert "Carbon dioxide" in await page.run("document.querySelector('.responses-table:not(.live-responses-table)').innerText")
            # With one it is an answer.
            await page.until(f"{CLICK}('Authorize')")
            await page.until("document.querySelector('.auth-container input')")
            await page.run("document.querySelector('.auth-container input').focus()")
            await page.command("Input.insertText", text=secret)
            await page.until("(b => { b?.click(); return !!b })(document.querySelector('.auth-btn-wrapper .authorize'))")
            await page.until("document.querySelector('.auth-container')?.innerText.includes('Authorized')")
            await page.until(f"{CLICK}('Close')")
            await page.until(f"{CLICK}('Execute')")
            await page.until("document.querySelector('.live-responses-table tbody .response-col_status')?.innerText.startsWith('200')")
            shown = await page.run("document.querySelector('.live-responses-table .microlight').innerText")
            assert json.loads(shown)["answer"] == "B"
            assert page.requests
            assert all(url.startswith((base, "data:")) for url in page.requests), page.requests
            refused = [text for text in page.complaints if "401" not in text]
            assert not refused
            stored = await page.run("JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie])")
            assert secret not in stored


FETCH = """
(async (url, path, key, extra) => {
  try {
    const headers = {"content-type": "application/json", ...(key && {authorization: key}), ...extra};
    const reply = await fetch(url + path, {method: "POST", headers, body: JSON.stringify(QUESTION)});
    return {status: reply.status, body: await reply.json(), id: reply.headers.get("x-request-id"), route: reply.headers.get("x-foggate-route"),
            retry: reply.headers.get("retry-after")};
  } catch (error) { return {failed: String(error)}; }
})""".replace("QUESTION", json.dumps(ASK))


def call(*values):
    return f"{FETCH}({', '.join(map(json.dumps, values))})"


@contextlib.asynccontextmanager
async def asked_by(origin, folder):
    async with gateway(cloud=False, server={"cors_origins": [origin]}, security={"keys": folder / "k"}) as (http, _):
        yield http


async def test_a_page_of_a_named_origin_reads_answers_and_errors_and_another_one_reads_nothing(tmp_path):
    (key,) = key_file(tmp_path / "k", {"questions_per_minute": 2})
    secret = key["authorization"]
    pages = Starlette(routes=[Route("/", lambda _: HTMLResponse("<title>A page</title>"))])
    async with serving(pages) as named, serving(pages) as other, chromium(tmp_path) as browser, asked_by(named, tmp_path) as http:
        base = str(http.base_url).rstrip("/")
        async with browser.page(named) as page:
            await page.until("document.title === 'A page'")
            answer = await page.run(call(base, "/v1/answer", secret, {"x-request-id": "mine-1"}))
            assert (answer["status"], answer["body"]["answer"], answer["route"], answer["id"]) == (200, "B", "edge", "mine-1")
            refused = await page.run(call(base, "/v1/answer", None, {}))
            assert (refused["status"], refused["body"]["error"]["type"]) == (401, "unauthorized")
            lost = await page.run(call(base, "/v1/nothing", secret, {}))
            assert (lost["status"], lost["body"]["error"]["request_id"]) == (404, lost["id"])
            limited = await page.run(call(base, "/v1/answer", secret, {}))
            assert limited["status"] == 429
            assert int(limited["retry"]) >= 1
            assert "failed" in await page.run(call(base, "/v1/answer", secret, {"x-other": "1"})), "a header that is not allowed"
        before = http.state.metrics.registry.get_sample_value("foggate_http_requests_total", {"path": "/v1/answer", "status": "200"})
        async with browser.page(other) as page:
            await page.until("document.title === 'A page'")
            assert "failed" in await page.run(call(base, "/v1/answer", secret, {}))
        assert before == http.state.metrics.registry.get_sample_value(
            "foggate_http_requests_total", {"path": "/v1/answer", "status": "200"}
        ), "the preflight kept the question from being asked"
