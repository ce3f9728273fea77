"""The arithmetic and the reports of `foggate bench gateway` and `foggate bench streams`."""

import pytest

from app.bench.gateway.goals import goals_of
from app.bench.gateway.markdown import render
from app.bench.gateway.streams import Held, Round, StreamPlan, report_of
from app.bench.gateway.streams_markdown import render as render_streams
from app.bench.gateway.summary import BARE, DIRECT, Sample, Used, rows_of
from app.bench.gateway.ways import LABELS

MACHINE = {"processor": "A processor", "cores": 2, "load": 0.5, "system": "Linux", "python": "3.11.7"}


def sample(way, connections=64, *, ms=20.0, replies=200, cpu_s=0.4, load=0.1, rss_mb=80.0, starved_share=None, **more):
    latencies = tuple(ms / 1000 for _ in range(replies))
    values = {"seconds": 2.0, "failures": 0, "first_failure": None, "cloud_calls": 0 if way in {"edge", BARE} else replies, **more}
    used = Used(cpu_s=cpu_s, rss_mb=rss_mb, load_share=load, starved_share=starved_share)
    return Sample(way=way, connections=connections, latencies=latencies, used=used, **values)


def row(rows, way, connections=64):
    return next(one for one in rows if (one.way, one.connections) == (way, connections))


def test_rounds_are_pooled_and_what_is_added_is_the_difference_to_no_proxy_at_all():
    samples = [
        sample(DIRECT, ms=20),
        sample("cloud", ms=24, cpu_s=0.4, rss_mb=80.0),
        sample(DIRECT, ms=20),
        sample("cloud", ms=26, replies=600, cpu_s=0.8, rss_mb=90.0),
    ]
    found = row(rows_of(samples), "cloud")
    assert (found.rounds, found.replies, found.rates, found.rate) == (2, 800, (100.0, 300.0), 200.0)
    assert (found.p50_ms, found.p99_ms) == pytest.approx((26, 26))
    assert (found.added_p50_ms, found.added_p99_ms) == pytest.approx((6, 6))
    assert (found.cpu_ms, found.per_cpu_s, found.rss_mb) == (pytest.approx(1.5), pytest.approx(1000 / 1.5), 90.0)
    assert found.as_json()["cpu_ms"] == 1.5


def test_few_replies_have_no_99th_percentile_and_none_have_nothing():
    rows = rows_of([sample(DIRECT), sample("edge", replies=99), sample("pass", replies=0, failures=3, first_failure="503: no")])
    assert (row(rows, "edge").p99_ms, row(rows, "edge").added_p99_ms) == (None, None)
    assert row(rows, "edge").p50_ms == pytest.approx(20)
    # The edge route does not ask the cloud: its time is nothing added to that of the cloud.
    assert (row(rows, "edge").added_p50_ms, row(rows, "edge").base) == (None, None)
    nothing = row(rows, "pass")
    assert (nothing.rate, nothing.p50_ms, nothing.cpu_ms, nothing.failures, nothing.first_failure) == (0, None, None, 3, "503: no")


def test_a_direct_measurement_at_the_limit_of_the_client_is_not_what_is_subtracted():
    samples = [sample(DIRECT, 16, ms=20), sample(DIRECT, 64, ms=60, load=0.95), sample("cloud", 64, ms=65), sample("cloud", 1, ms=21)]
    rows = rows_of(samples)
    assert [(one.way, one.connections) for one in rows] == [("cloud", 1), (DIRECT, 16), (DIRECT, 64), ("cloud", 64)]
    assert (row(rows, "cloud").base, row(rows, "cloud").added_p50_ms) == (16, pytest.approx(45))
    assert (row(rows, DIRECT).limited, row(rows, "cloud").limited) == (True, False)
    # No measurement with as few connections says what the bare mock cloud takes.
    assert (row(rows, "cloud", 1).base, row(rows, "cloud", 1).added_p50_ms) == (None, None)


def verdicts(*samples):
    return {goal.text.partition(":")[0] + " " + str(goal.limit): (goal.verdict, goal.value) for goal in goals_of(rows_of(samples))}


def test_targets_are_met_missed_or_not_measured():
    everything = [
        sample(DIRECT, ms=20),
        sample("edge", replies=3000),
        sample("cloud", ms=24, replies=1600, cpu_s=1.6),
        sample("pass", ms=30, replies=1599, cpu_s=1.599),
        sample("litellm", ms=40, replies=200),
        sample("least", replies=1000, cpu_s=0.5),
    ]
    found = verdicts(*everything)
    assert found["edge route with an engine that waits 1500.0"] == ("met", 1500)
    # 3,000 replies in 0.4 s of processor time.
    assert found["edge route with an engine that waits, by its CPU time 1500.0"] == ("met", 7500)
    assert found["cloud route 0.2"] == ("met", pytest.approx(0.2))
    assert found["cloud route 8.0"] == ("met", 8)
    assert found["cloud route 1.5"] == ("missed", pytest.approx(2))
    assert found["pass-through 0.2"] == ("missed", pytest.approx(0.5))
    assert found["pass-through 8.0"] == ("missed", pytest.approx(7.995))
    alone = verdicts(*everything[:4])
    assert {name for name, (verdict, _) in alone.items() if verdict == "not measured"} == {
        name for name in alone if not name.startswith("edge route")
    }
    # A peer that adds nothing, or fails on everything, gives no ratio.
    nothing = verdicts(*everything[:4], sample("litellm", ms=20, replies=0, failures=5), sample("least", ms=20))
    assert nothing["cloud route 0.2"] == nothing["cloud route 8.0"] == ("not measured", None)


def report(*samples, **more):
    rows = rows_of(samples)
    ways = {way: {"label": LABELS[way], "ready_s": 1.0} for way in dict.fromkeys(one.way for one in rows)}
    about = {
        "machine": MACHINE,
        "pinned": True,
        "versions": {"foggate": "1.2.3"},
        "delay_ms": 20.0,
        "edge_ms": 0.5,
        "rounds": 1,
        "seconds": 2.0,
        "complete": True,
        "client_ceiling": 9000,
        "absent": {},
        "ways": ways,
        "rows": [one.as_json() for one in rows],
        "goals": [goal.as_json() for goal in goals_of(rows)],
    }
    return about | more


def test_the_report_shows_each_row_what_limits_it_and_why_a_peer_is_not_there():
    text = render(
        report(
            sample(DIRECT, 64, load=0.95),
            sample("cloud", ms=24, starved_share=0.5, failures=2, first_failure="503: no\nplace"),
            absent={"litellm": "pip failed: no | such\nthing"},
            complete=False,
        )
    )
    assert "| 64 | gateway, cloud route‡ | 100 | 24.0 | 24.0 | – | – | 2.00 | 500 | 80 | 2 |" in text
    assert "| | litellm | not measured: pip failed: no \\| such thing |" in text
    assert "mock cloud, directly†" in text
    assert "`503: no place`" in text
    assert "over before everything was measured" in text
    assert "A processor, 2 cores, load 0.5 at the start" in text
    widths = {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {12}
    assert "†" not in render(report(sample(DIRECT), sample("cloud"))).replace("directly", "")


PLAN = StreamPlan(streams=10, hang_ups=3, rounds=8)
HELD = Held(cloud_connections=1, files=20)


def rounds(memory, **changed):
    return [
        Round(**{"whole": 7, "left": 3, "failed": {}, "cancels": 3, "replies": 7, "seconds": 1.0, "rss_mb": mb, **changed}) for mb in memory
    ]


def test_memory_is_flat_where_the_last_quarter_is_within_five_percent_of_the_second():
    # The first quarter warms up, and a single round that stands out does not count.
    flat = report_of(PLAN, rounds([50, 60, 100, 100, 180, 100, 104, 105]), HELD, HELD)
    assert (flat["wrong"], flat["rss_mb"]) == ([], {"early": 100.0, "late": 104.5, "growth": 0.045})
    grown = report_of(PLAN, rounds([90, 100, 100, 100, 100, 100, 106, 106]), HELD, HELD)
    assert grown["wrong"] == ["memory grew by 6.0% from 100.0 MB to 106.0 MB"]
    assert "**Nothing stays behind.**" in render_streams(flat | {"machine": MACHINE})
    assert "- memory grew by 6.0%" in render_streams(grown | {"machine": MACHINE})


def test_a_cancel_too_few_a_stream_that_breaks_and_what_stays_open_are_wrong():
    same = [100.0] * 8
    (cancels,) = {line.partition(": ")[2] for line in report_of(PLAN, rounds(same, cancels=2), HELD, HELD)["wrong"]}
    assert cancels == "the cloud saw 2 cancels, and 3 callers hung up"
    broken = report_of(PLAN, rounds(same, whole=6, failed={"cut off": 1}), HELD, HELD)["wrong"]
    assert broken[0] == "round 1: 6 streams came to their end, 3 were left, others: {'cut off': 1}"
    (connections,) = report_of(PLAN, rounds(same), HELD, Held(2, 20))["wrong"]
    assert "connections to the cloud" in connections
    (files,) = report_of(PLAN, rounds(same), HELD, Held(1, 23))["wrong"]
    assert files == "23 files are open, and before there were 20"
