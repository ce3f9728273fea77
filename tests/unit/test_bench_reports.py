"""What the benches report beside their tables: targets, fixed rates, profiles, and what must not count as an answer."""

import json
import time

import pytest

from app.bench.client import Load
from app.bench.edge.goals import goals_of
from app.bench.edge.http_markdown import http_parts
from app.bench.gateway.marks import calls_notes
from app.bench.gateway.offered_markdown import offered_parts, profile_parts
from app.bench.gateway.offered_summary import CLIENT, OfferedSample, offered_rows_of
from app.bench.gateway.sampling import Sampler, part_of
from app.bench.gateway.summary import Used
from app.bench.gateway.ways import LABELS, Way, client_way, edge_way
from app.bench.goal import goal_lines
from app.bench.offered import OfferedLoad
from app.bench.processes import Server
from app.evaluation.cells import short

SERVER = Server("a server", "http://127.0.0.1:9", 1.0, None)


@pytest.mark.parametrize(
    ("way", "good", "bad"),
    [
        (edge_way(SERVER), b'{"answer":"A","route":"edge","degraded":false}', b'{"answer":"A","route":"edge","degraded":true}'),
        (
            Way("cloud", SERVER, [], (b'"route":"cloud"', b'"degraded":false')),
            b'{"route":"cloud","degraded":false}',
            b'{"route":"edge","degraded":false}',
        ),
        (client_way(SERVER), b'{"answer":"A"}', b"{}"),
    ],
)
def test_an_answer_from_elsewhere_is_not_what_a_way_is_asked_for(way, good, bad):
    assert way.accepts(good)
    assert not way.accepts(bad)


def test_a_way_whose_replies_did_not_come_from_the_cloud_is_named():
    rows = [
        {"way": "cloud", "connections": 4, "cloud_calls": 0.4},
        {"way": "pass", "connections": 4, "cloud_calls": 1.0},
        {"way": "edge", "connections": 4, "cloud_calls": 0.0},
        {"way": "litellm", "connections": 4},
    ]
    assert calls_notes(rows, LABELS) == ["gateway, cloud route, 4 connections: the mock cloud was asked 0.40 times for each reply"]


def offered(way, rate, *, ms, replies=200, refused=0, late_ms=0.1, waited=0, load=0.1):
    load_seen = Load(4, 2.0, (ms / 1000,) * replies, {200: replies, 503: refused}, {}, "503: busy" if refused else None, 0.2)
    planned = replies + refused
    found = OfferedLoad(rate, planned, load_seen, (late_ms / 1000,) * (planned - waited), waited)
    return OfferedSample(way, found, Used(cpu_s=0.4, rss_mb=80.0, load_share=load, starved_share=0.0))


def test_rates_have_rows_with_the_share_that_was_answered():
    samples = [
        offered("edge", 1000, ms=2),
        offered(CLIENT, 100, ms=0.2),
        offered("edge", 100, ms=1),
        offered("edge", 1000, ms=4, refused=200, waited=100, late_ms=3, load=0.95),
    ]
    rows = [row.as_json() for row in offered_rows_of(samples)]
    assert [(row["way"], row["rate"], row["rounds"]) for row in rows] == [(CLIENT, 100, 1), ("edge", 100, 1), ("edge", 1000, 2)]
    both = rows[2]
    assert (both["planned"], both["failures"], both["answered_share"], both["waited_share"]) == (
        600,
        200,
        pytest.approx(2 / 3, abs=1e-4),
        pytest.approx(1 / 6, abs=1e-4),
    )
    assert (both["p50_ms"], both["p99_ms"], both["late_p99_ms"], both["cpu_ms"], both["limited"]) == (2, 4, 3, 2.0, True)
    report = {
        "rounds": 2,
        "ways": {"edge": {"label": LABELS["edge"]}},
        "offered": {"seconds": 5, "connections": 256, "timeout_s": 10, "rows": rows},
    }
    _, about, table, notes = offered_parts(report)
    assert "for 5 s in each of 2 interleaved rounds" in about
    assert "| 1,000 | gateway, edge route† | 66.7 | 2.0 | 4.0 | 16.7 | 2.00 | 3.00 | 200 (503: busy) |" in table
    assert "| 100 | the client alone (least server) | 100.0 | 0.2 | 0.2 |" in table
    assert "partly its own" in notes
    assert "†" in notes
    assert offered_parts({"offered": None}) == []


def busy(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        json.dumps({"text": "x" * 100})


def test_a_profile_says_where_processor_time_went():
    sampler = Sampler()
    sampler.start()
    busy(0.3)
    found = sampler.stop()
    assert found["seconds"] >= 0.2
    assert found["looks"] >= 5
    assert sum(found["parts"].values()) == pytest.approx(1, abs=0.01)
    within = {name: share for name, share in found["within"].items() if "json" in name}
    assert sum(within.values()) > 0.2
    # This very file calls everything else.
    assert found["within"]["unit"] > 0.8
    report = {"profile": {**found, "replies": 100, "connections": 64, "rate": 50.0}}
    assert "| unit |" in "\n".join(profile_parts(report))
    assert profile_parts({"profile": None}) == []


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/x/app/core/policy.py", "app.core"),
        ("/app/app/core/policy.py", "app.core"),
        ("/x/app/main.py", "app.main"),
        ("/x/lib/python3.11/site-packages/h11/_events.py", "h11"),
        ("/usr/lib/python3.11/asyncio/events.py", "python: asyncio"),
        ("/usr/lib/python3.11/selectors.py", "python: selectors"),
        ("/home/me/tests/unit/test_x.py", "unit"),
        ("<string>", "python"),
    ],
)
def test_a_file_belongs_to_a_part(path, part):
    assert part_of(path) == part


def cell(part, value, **more):
    way = {"seconds_per_question": {"median": 0.004}, "questions_per_s": 2500.0}
    return {"part": part, "value": value, "ways": {"one pass": way}, "roofline": {"share": 0.45}, **more}


def server(name, way, times=None, **more):
    spread = None if times is None else {"median": times, "low": times, "high": times}
    return {"server": name, "about": f"the server {name}", "way": way, "reason": None, "foggate_times": spread, "joint": False, **more}


CELLS = [
    cell("lengths", 200, ratio_vs_generate=5.2, ratio_vs_prefill=0.9),
    cell("batches", 16, ratio_by_length_vs_prefill=1.25),
    cell("batches", 64),
]
REPORT = {"device": "cpu", "model": "builtin", "cells": CELLS, "fits": {"one pass": {"r2": 0.99}}}


def verdicts(report):
    return {goal.text: (goal.verdict, goal.value) for goal in goals_of(report)}


def test_targets_of_a_processor_are_met_missed_or_not_measured():
    servers = [
        server("foggate", "one pass", ready_s=3.0, rss_bytes=950e6),
        server("llama-q4", "chat, whole answer", 1.9),
        server("llama-q4", "chat, one token", 0.5),
        server("transformers", "/v1/systemone", 2.5),
        {**server("vllm", None), "reason": "it does not start"},
    ]
    found = verdicts({**REPORT, "http": {"clients": 16, "servers": servers}})
    assert found["batch 1, 200 tokens: at least 5 times as fast as `generate`"] == ("met", 5.2)
    assert found["batch 1, 200 tokens: at most 0.85 of the time of a bare prefill"] == ("missed", 0.9)
    assert found["batch 16, by length: at least 0.9 of the prompt tokens a second of a bare prefill"] == ("missed", pytest.approx(0.8))
    over = "16 clients over HTTP: at least {} times as many questions a second as {}"
    assert found[over.format(2, "llama-q4 (chat, whole answer)")] == ("missed", 1.9)
    assert found[over.format(2, "transformers (/v1/systemone)")] == ("met", 2.5)
    assert found[over.format(1.5, "vllm")] == ("not measured", None)
    assert not [text for text in found if "one token" in text]
    text = "256 questions in one request, all answered: at least 0.9 of the engine's own rate"
    assert found[text] == ("not measured", None)

    def of_request(missing, **more):
        batch = {"questions": 256, "not_answered": missing, "questions_per_s": {"median": 2300.0}, **more}
        rows = [server("foggate", "one pass", ready_s=3.0, rss_bytes=950e6, batch_request=batch)]
        return verdicts({**REPORT, "http": {"clients": 16, "servers": rows}})[text]

    assert of_request(0) == ("met", pytest.approx(0.92))
    # A gateway that refuses some is not fast.
    assert of_request(1) == ("missed", 0)
    assert of_request(0, questions=16) == ("not measured", None)
    assert found["the gateway is ready in under 4 s"] == ("met", 3.0)
    assert found["the gateway's memory (RSS) is under 900 MB"] == ("missed", 950)
    assert found["time for a question grows linearly with its tokens: R² of at least 0.98"] == ("met", 0.99)
    without = verdicts({**REPORT, "cells": [], "fits": {}})
    assert {verdict for verdict, _ in without.values()} == {"not measured"}
    lines = goal_lines(goal.as_json() for goal in goals_of(REPORT))
    assert "- **met**: batch 1, 200 tokens: at least 5 times as fast as `generate` (measured: 5.20)" in lines


@pytest.mark.parametrize(
    ("value", "shown"), [(1608.4, "1,608"), (479.9, "480"), (35.04, "35.0"), (5.2, "5.20"), (0.4992, "0.499"), (0.0, "0.000"), (None, "–")]
)
def test_measured_numbers_have_about_three_digits(value, shown):
    assert short(value) == shown


def at_rate(rate, **more):
    values = {"rate": rate, "answered_share": 1.0, "failures": 0, "first_failure": None, "p50_s": 0.006, "p99_s": 0.04, "waited_share": 0.0}
    return {**values, "late_p99_s": 0.0002, "client_cpu_share": 0.31, **more}


def test_targets_of_a_gpu_count_what_was_not_answered_as_slow():
    def over(*rates, tokens=200, failures=0):
        alone = {"questions": 200, "p50_s": 0.006, "p99_s": 0.009, "failures": failures, "first_failure": None}
        rows = [server("foggate", "one pass", offered=list(rates), one_connection=alone)]
        of_gpu = {"device": "cuda", "model": "random weights, shape of qwen3-0.6b", "batch_tokens": tokens}
        return verdicts({**REPORT, **of_gpu, "http": {"rate_timeout_s": 10, "servers": rows}})

    found = over(at_rate(20), at_rate(1000))
    share = "batch 64, 200 tokens: at least 0.4 of a large matrix product's operations a second"
    assert found[share] == ("met", 0.45)
    # Prompts of another length say nothing about those of 200 tokens.
    assert over(tokens=0)[share] == ("not measured", None)
    assert found["batch 64, 200 tokens: at least 2,000 questions a second at the shape of qwen3-0.6b"] == ("met", 2500)
    assert found["batch 1, 200 tokens: at most 5 ms"] == ("met", pytest.approx(4))
    p50 = "over HTTP: p50 of at most 10 ms at one connection"
    assert found[p50] == ("met", pytest.approx(6))
    assert over(failures=1)[p50] == ("not measured", None)
    text = "over HTTP: p99 of at most 50 ms at 1,000 questions a second offered"
    assert found[text] == ("met", pytest.approx(40))
    # Fast answers for half of the callers and none for the others are no p99 of 40 ms.
    assert over(at_rate(1000, answered_share=0.5, failures=500))[text] == ("missed", 10_000)
    assert over(at_rate(20))[text] == ("not measured", None)


def test_the_report_over_http_shows_rates_and_reads_reports_without_them():
    closed = {
        "questions_per_s": {"median": 5.0, "low": 4.0, "high": 6.0},
        "p50_s": 0.1,
        "p99_s": None,
        "written_tokens": None,
        "with_a_letter": 1.0,
        "cpu_s_per_question": None,
        "rss_bytes": None,
        "ready_s": 2.0,
        "failures": 0,
        "first_failure": None,
    }
    old = {"clients": 16, "rounds": 3, "client_requests_per_s": 9000.0, "servers": [server("foggate", "one pass", **closed)]}
    assert "- foggate: the server foggate" in "\n".join(http_parts(old))
    assert "| foggate | one pass | 5.00 [4.00, 6.00] | – | 100 / – / – |" in "\n".join(http_parts(old))
    ours = server("foggate", "one pass", **closed, p95_s=0.2, offered=[at_rate(1000, failures=2, first_failure="429: full")])
    new = {**old, "rate_seconds": 5, "rate_timeout_s": 10, "client_offered": [at_rate(1000)], "servers": [ours]}
    text = "\n".join(http_parts(new))
    assert "| 100 / 200 / – |" in text
    assert "| foggate | one pass | 1,000 | 100.0 | 6.00 / 40.0 | 0.0 | 0.20 | 31.0 | 2 (429: full) |" in text
    assert "one connection" not in text
    alone = {"questions": 200, "p50_s": 0.0061, "p99_s": 0.009, "failures": 3, "first_failure": "503: busy"}
    text = "\n".join(http_parts({**new, "prompt_tokens": 202.3, "servers": [{**ours, "one_connection": alone}]}))
    assert "one question after the other: p50 6.10 ms, p99 9.00 ms of 200 questions; **3 (503: busy) failures**." in text
    assert "prompts of about 202 tokens;" in text
    assert "| the client alone (least server) |  | 1,000 |" in text
