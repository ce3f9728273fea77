"""Collecting from clouds that refuse everything: what cannot pass ends the run after a few questions, what may pass is counted."""

import contextlib
import json
import socket

import pytest

from app.core.errors import CloudMisconfigured, CloudRejected, CloudTimeout, CloudUnavailable, CloudUnparsable
from app.core.question import Question
from app.core.verdict import Signal
from app.data.dataset import Item
from app.data.records import load_records, read_records
from app.evaluation.collect import EdgeIdentity, collect
from app.evaluation.failures import Failures
from app.evaluation.report import build_report
from tests.support.clouds import cloud_client, completion, scripted
from tests.support.fakes import FakeEdge, make_verdict

IDENTITY = EdgeIdentity("m", "f", 1, "cpu, a test")
ITEMS = [Item(Question(f"What is {n}?", ("one", "two", "three", "four"), "law", f"q{n}"), "A") for n in range(40)]
HTML = b"<!doctype html><html><body>We are back soon</body></html>"


async def run(out, cloud, **kwargs):
    try:
        return await collect(ITEMS, out, edge=FakeEdge(make_verdict(0.75)), identity=IDENTITY, cloud=cloud, cloud_concurrency=4, **kwargs)
    finally:
        await cloud.close()


@contextlib.contextmanager
def nobody():
    """An address at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"error": {"message": "Incorrect API key provided: sk-secret", "type": "invalid_request_error"}}),
        (402, {"error": "no credit left"}),
        (403, {"error": {"message": "forbidden"}}),
        (404, {"error": {"message": "The model `gpt-9` does not exist", "code": "model_not_found"}}),
        (405, {"detail": "Method Not Allowed"}),
        (301, b""),
    ],
)
async def test_what_cannot_pass_ends_the_run_after_a_handful(tmp_path, status, body):
    out = tmp_path / "r.jsonl"
    async with scripted((status, body)) as server:
        done = await run(out, cloud_client(server.url))
        # Those that were under way when the fifth failed are not taken back.
        assert 5 <= server.calls <= 5 + 4
    assert done.cloud_asked == server.calls
    assert done.incomplete
    assert str(status) in done.stopped
    assert [(failure["status"], failure["n"]) for failure in done.failures] == [(status, done.cloud_asked)]
    assert done.failed == done.cloud_asked
    assert done.failed + done.unasked == len(ITEMS)
    assert "sk-secret" not in json.dumps(done.failures) + done.stopped + out.read_text()
    kept = read_records(out)
    # The edge's answers stay, and a run with a cloud that answers goes on with the file.
    assert all(record["edge_answer"] == "A" for record in kept.values())
    async with scripted((200, completion("Final answer: A"))) as server:
        again = await run(out, cloud_client(server.url))
    assert (again.failed, again.unasked, again.stopped, again.failures, again.incomplete) == (0, 0, None, [], False)
    assert again.edge_asked == len(ITEMS) - len(kept)
    assert all(record["cloud_answer"] == "A" and record["cloud_error"] is None for record in read_records(out).values())


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, HTML, "cloud_unusable"),
        (200, {"error": {"message": "maintenance"}}, "cloud_unusable"),
        (200, {"choices": []}, "cloud_unusable"),
        (400, {"error": {"message": "Unsupported parameter: max_tokens"}}, "cloud_rejected"),
        (422, {"detail": "bad"}, "cloud_rejected"),
    ],
)
async def test_what_hardly_passes_ends_it_later_and_counts_as_no_answer(tmp_path, status, body, kind):
    out = tmp_path / "r.jsonl"
    async with scripted((status, body)) as server:
        done = await run(out, cloud_client(server.url, max_attempts=1))
    assert 20 <= done.cloud_asked <= 20 + 4
    assert done.stopped
    assert {failure["kind"] for failure in done.failures} == {kind}
    # A page of HTML is no wrong answer of the model behind it.
    report = build_report(load_records(out), tau=0.5, signal=Signal.VERBALIZED, resamples=20)
    assert (report["n_cloud"], report["cloud_unparsable"]) == (0, 0)
    assert "cloud_only" not in report["mean"]


async def test_nobody_listens(tmp_path):
    with nobody() as url:
        done = await run(tmp_path / "r.jsonl", cloud_client(url, max_attempts=1))
    assert 20 <= done.cloud_asked <= 20 + 4
    assert "look at cloud.base_url" in done.stopped
    assert {failure["kind"] for failure in done.failures} == {"cloud_unavailable"}
    assert done.unasked == len(ITEMS) - done.cloud_asked


async def test_a_host_that_does_not_exist(tmp_path):
    done = await run(tmp_path / "r.jsonl", cloud_client("http://no-such-host.invalid", max_attempts=1))
    assert done.stopped
    assert 5 <= done.cloud_asked <= 5 + 4


@pytest.mark.parametrize(("status", "body"), [(429, {"error": {"code": "insufficient_quota"}}), (503, HTML), (500, b"")])
async def test_what_may_pass_is_counted_and_everything_is_asked(tmp_path, status, body):
    out = tmp_path / "r.jsonl"
    async with scripted((status, body)) as server:
        done = await run(out, cloud_client(server.url, max_attempts=1))
    assert (done.cloud_asked, done.failed, done.unasked, done.stopped, done.incomplete) == (40, 40, 0, None, True)
    assert sum(failure["n"] for failure in done.failures) == 40
    assert {failure["kind"] for failure in done.failures} == {"cloud_unavailable"}
    assert ("429" if status == 429 else "5xx") in done.failures[0]["message"]
    assert len(load_records(out)) == 40


async def test_a_reply_without_a_letter_is_an_answer_and_no_failure_of_the_run(tmp_path):
    async with scripted((200, completion("I would rather not say."))) as server:
        done = await run(tmp_path / "r.jsonl", cloud_client(server.url))
    assert (done.cloud_asked, done.stopped, done.incomplete) == (40, None, False)
    assert [failure["kind"] for failure in done.failures] == ["cloud_unparsable"]


async def test_an_answer_in_between_goes_on(tmp_path):
    """Four refusals, an answer, and so on: whatever was refused is not refused for good."""
    replies = [(404, b""), (404, b""), (404, b""), (404, b""), (200, completion())] * 8
    async with scripted(*replies) as server:
        cloud = cloud_client(server.url)
        done = await collect(
            ITEMS, tmp_path / "r.jsonl", edge=FakeEdge(make_verdict(0.75)), identity=IDENTITY, cloud=cloud, cloud_concurrency=1
        )
        await cloud.close()
    assert (done.cloud_asked, done.failed, done.stopped) == (40, 32, None)


async def test_the_same_failure_again_leaves_a_file_that_can_be_read_even_if_the_run_is_killed(tmp_path):
    """A run that was killed has no compacted file: two equal lines of a question would be two questions."""
    out = tmp_path / "r.jsonl"
    for _ in range(2):
        async with scripted((503, b"")) as server:
            await run(out, cloud_client(server.url, max_attempts=1))
        lines = out.read_text().splitlines()
        assert len(lines) == 40
    async with scripted((503, b"")) as server:
        killed = []
        cloud = cloud_client(server.url, max_attempts=1)
        with pytest.raises(ExceptionGroup):
            await collect(
                ITEMS,
                out,
                edge=FakeEdge(make_verdict(0.75)),
                identity=IDENTITY,
                cloud=cloud,
                on_progress=lambda done: killed.append(done) if done < 30 else 1 / 0,
            )
        await cloud.close()
    assert len(load_records(out)) == 40


def test_what_ends_a_run_by_hand():
    refused, busy, slow = CloudRejected("status 401"), CloudUnavailable("the cloud did not answer (429)"), CloudTimeout("late")
    for errors, stops in (
        ([refused] * 4, False),
        ([refused] * 5, True),
        ([CloudMisconfigured("the certificate of the cloud is not accepted (self-signed certificate)")] * 5, True),
        ([CloudRejected("the cloud refused the request with status 400")] * 19, False),
        ([CloudRejected("the cloud refused the request with status 400")] * 20, True),
        ([refused, busy, slow] * 4 + [refused], True),
        ([refused] * 4 + [CloudUnparsable("the cloud's reply names no single offered option")] + [refused] * 4, False),
        ([busy, slow] * 99 + [busy], False),
        ([busy, slow] * 100, True),
    ):
        failures = Failures()
        for error in errors:
            failures.failed(error)
        assert bool(failures.stopped) is stops, errors
    failures = Failures()
    for _ in range(3):
        for _ in range(4):
            failures.failed(refused)
        failures.answered()
    assert failures.stopped is None
    assert failures.listed() == [{"kind": "cloud_rejected", "status": 401, "message": "status 401", "n": 12}]
