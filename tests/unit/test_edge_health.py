"""The health of the in-process edge in one word: the worst that applies, each limit by itself."""

from dataclasses import replace

import pytest

from app.config.settings import Settings
from app.core.edge import Edge, EdgeHealth
from app.edge.batcher import Batcher
from app.edge.build import build_batcher
from app.edge.health import UNLIMITED, HealthLimits, Vitals
from app.telemetry.metrics import Metrics
from tests.support.fakes import FakeEngine

WELL = Vitals(ended=False, batch_age_s=0.0, stalled_s=0.0, failed_in_a_row=0)
LIMITS = HealthLimits(live_stall_s=60.0, live_failed_batches=10, ready_failed_batches=3, ready_stall_s=15.0)


@pytest.mark.parametrize(
    ("changes", "health"),
    [
        ({}, EdgeHealth.ALIVE),
        ({"stalled_s": 15.0}, EdgeHealth.ALIVE),
        ({"stalled_s": 15.1}, EdgeHealth.STALLED),
        ({"failed_in_a_row": 2}, EdgeHealth.ALIVE),
        ({"failed_in_a_row": 3}, EdgeHealth.FAILING),
        ({"failed_in_a_row": 3, "stalled_s": 99.0}, EdgeHealth.FAILING),
        ({"failed_in_a_row": 10}, EdgeHealth.DEAD),
        ({"batch_age_s": 60.0}, EdgeHealth.ALIVE),
        ({"batch_age_s": 60.1}, EdgeHealth.DEAD),
        ({"batch_age_s": 60.1, "stalled_s": 99.0, "failed_in_a_row": 3}, EdgeHealth.DEAD),
        ({"ended": True}, EdgeHealth.DEAD),
    ],
)
def test_the_worst_that_applies_is_said(changes, health):
    assert LIMITS.judge(replace(WELL, **changes)) is health


def test_without_limits_only_a_worker_that_has_ended_is_dead():
    assert UNLIMITED.judge(Vitals(ended=False, batch_age_s=1e9, stalled_s=1e9, failed_in_a_row=10**9)) is EdgeHealth.ALIVE
    assert UNLIMITED.judge(replace(WELL, ended=True)) is EdgeHealth.DEAD


async def test_the_settings_reach_the_batcher_and_it_says_what_it_is():
    server = {"live_stall_s": 1.0, "live_failed_batches": 2, "ready_failed_batches": 3, "ready_stall_s": 4.0}
    batcher: Edge = build_batcher(Settings(server=server), FakeEngine(), Metrics())
    try:
        assert isinstance(batcher, Batcher)
        assert batcher._limits == HealthLimits(**server)
        assert (batcher.identity.model, batcher.identity.fingerprint, batcher.identity.prompt_fingerprint) == (
            "fake-edge",
            "fake",
            "fake-prompt",
        )
        assert batcher.health() is EdgeHealth.ALIVE
    finally:
        await batcher.close()
    assert batcher.health() is EdgeHealth.DEAD
