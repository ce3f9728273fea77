"""The client at a fixed rate: what a slow server makes callers wait is in the latencies, and every planned request is accounted for."""

import asyncio
import itertools

import pytest

from app.bench.client import Load
from app.bench.connection import prepare
from app.bench.offered import MOST_CONNECTIONS, OfferedLoad, Total, offer, precise_loop, send_times
from app.core import interrupts
from tests.support.small_server import OK, Server


def test_even_times_are_equally_far_apart():
    assert send_times(4, 1, even=True) == [0, 0.25, 0.5, 0.75]


def test_times_of_a_poisson_process_have_the_rate_and_come_again_with_their_seed():
    times = send_times(2000, 5, seed=3)
    assert len(times) == 10_000
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < 5
    assert times == send_times(2000, 5, seed=3) != send_times(2000, 5, seed=4)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(1 / 2000, rel=0.01)
    # Gaps of a Poisson process are exponentially distributed: their deviation is their mean, and a share of 1/e is longer than it.
    assert (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5 == pytest.approx(mean, rel=0.05)
    assert sum(gap > mean for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.02)


@pytest.mark.parametrize(
    ("rate", "seconds", "said"), [(0, 1, "positive"), (10, 0, "positive"), (1e6, 2, "1 to 1,000,000"), (0.1, 1, "are 0 requests")]
)
def test_a_rate_that_cannot_be_planned_is_refused(rate, seconds, said):
    with pytest.raises(ValueError, match=said):
        send_times(rate, seconds)


async def test_what_a_stall_makes_later_callers_wait_is_in_their_latencies():
    async with Server(0.4, *[OK] * 100) as server:
        found = await offer([prepare(server.url)], send_times(50, 1, even=True), rate=50, connections=1)
    # The server is slow once, for 0.4 s. The n-th request is due after n/50 s: those due before 0.3 s wait for 0.1 s or longer, although
    # the server answers each of them at once. A closed loop would have seen one slow reply.
    assert found.load.failures == 0
    assert len(found.load.latencies) == found.planned == 50
    assert sum(latency >= 0.1 for latency in found.load.latencies) >= 15
    assert found.waited >= 19
    # Each request either found no free connection or was sent by the clock.
    assert found.waited + len(found.late) == 50


async def test_refusals_are_counted_and_are_no_latencies():
    refused = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
    async with Server(OK, refused, refused, b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\ndegraded") as server:
        found = await offer([prepare(server.url)], [0.0] * 8, rate=8, connections=1, accepts=lambda body: body == b"hi")
    assert found.load.statuses == {200: 4, 503: 4}
    assert (len(found.load.latencies), found.load.failures) == (2, 6)
    assert found.load.first_failure == "503: busy"
    assert Total.of([found]).answered_share == 0.25


async def test_a_request_that_could_not_be_sent_in_time_is_a_failure_and_the_run_ends():
    async with Server(60) as server:
        async with asyncio.timeout(20):
            found = await offer([prepare(server.url)], [0.0] * 5, rate=5, connections=1, timeout=0.2)
    assert found.load.latencies == ()
    assert found.load.failures == 5
    assert found.load.errors["NotSent"] >= 3
    assert len(server.seen) <= 2


def test_a_server_that_is_down_is_said_and_everything_is_counted():
    async def down():
        async with Server(OK) as server:
            pass
        return await offer([prepare(server.url)], send_times(100, 0.1), rate=100, connections=4)

    found = interrupts.run(down(), loop=precise_loop)
    assert (found.load.failures, found.load.latencies) == (10, ())
    assert found.load.first_failure


def test_runs_at_a_rate_are_pooled():
    def run(latencies, late, waited, **failed):
        statuses = {200: len(latencies), **({503: failed["refused"]} if failed else {})}
        load = Load(4, 2.0, tuple(latencies), statuses, {}, "503: busy" if failed else None, 1.0)
        return OfferedLoad(100.0, len(latencies) + failed.get("refused", 0), load, tuple(late), waited)

    total = Total.of([run([0.01] * 98, [0.001] * 98, 0), run([0.02] * 90, [0.002] * 50, 40, refused=12)])
    assert (total.rate, total.runs, total.planned, total.failures, total.first_failure) == (100.0, 2, 200, 12, "503: busy")
    assert total.answered_share == pytest.approx(188 / 200)
    assert (total.p50_s, total.p99_s, total.late_p99_s) == (0.01, 0.02, 0.002)
    assert (total.waited_share, total.client_cpu_share) == (0.2, 0.5)
    # Fewer than 100 replies have no 99th percentile.
    assert Total.of([run([0.01] * 99, [], 99)]).row()["p99_s"] is None


async def test_a_run_without_requests_or_with_too_many_connections_is_refused():
    with pytest.raises(ValueError, match="requests and times"):
        await offer([], [0.0], rate=1, connections=1)
    with pytest.raises(ValueError, match=f"1 to {MOST_CONNECTIONS} connections"):
        await offer([prepare("http://127.0.0.1:9/")], [0.0], rate=1, connections=MOST_CONNECTIONS + 1)
