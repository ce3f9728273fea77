"""When the in-process edge counts as stalled, failing or dead: a pure function of what its batcher and its runner show."""

import math
from dataclasses import dataclass

from app.core.edge import EdgeHealth


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the worker of the in-process edge shows of itself.

    Attributes:
        ended: whether the worker thread has ended.
        batch_age_s: seconds since the present batch was begun; 0 when none runs.
        stalled_s: seconds that questions have been waiting without any batch being finished.
        failed_in_a_row: failed batches since the last one that gave any verdict; see `app.edge.runner.Runner`.
    """

    ended: bool
    batch_age_s: float
    stalled_s: float
    failed_in_a_row: int


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """What is still healthy. By default everything is, until the worker ends.

    Attributes:
        live_stall_s: a present batch older than this makes the edge dead.
        live_failed_batches: so many failed batches in a row make it dead.
        ready_failed_batches: so many make it failing.
        ready_stall_s: questions that wait longer than this, while no batch is finished, make it stalled.
    """

    live_stall_s: float = math.inf
    live_failed_batches: float = math.inf
    ready_failed_batches: float = math.inf
    ready_stall_s: float = math.inf

    def judge(self, vitals: Vitals) -> EdgeHealth:
        """The state in one word, the worst that applies."""
        if vitals.ended or vitals.batch_age_s > self.live_stall_s or vitals.failed_in_a_row >= self.live_failed_batches:
            return EdgeHealth.DEAD
        if vitals.failed_in_a_row >= self.ready_failed_batches:
            return EdgeHealth.FAILING
        return EdgeHealth.STALLED if vitals.stalled_s > self.ready_stall_s else EdgeHealth.ALIVE


UNLIMITED = HealthLimits()
