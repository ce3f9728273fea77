"""What chosen thresholds achieve on questions that had no part in choosing them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.core.verdict import Signal
from app.data.calibration import Achieved
from app.data.target import Target
from app.evaluation import statistics as st
from app.evaluation.risk import share_interval
from app.evaluation.routing import routing_row
from app.evaluation.table import Table


@dataclass(frozen=True, slots=True)
class Judge:
    """Measures thresholds on test questions.

    Attributes:
        signal: the number that is compared with the thresholds.
        target: target of the calibration.
        resamples: number of bootstrap resamples behind the interval of the lift.
        seed: seed of the bootstrap.
    """

    signal: Signal
    target: Target
    resamples: int
    seed: int

    def judge(self, test: Table, taus: st.Floats | float) -> Achieved | None:
        """The numbers, and whether they show the target, refute it, or do neither.

        The intervals of shares are exact (Clopper and Pearson 1934), so that a few questions do not seem to show something.

        Args:
            test: questions that the thresholds serve.
            taus: the threshold of each question, or one for all.

        Returns:
            None if there is no test question.
        """
        if not len(test):
            return None
        routed = test.signal[self.signal.value] < taus
        edge = test.edge_correct[self.signal.value]
        kept, wrong = int((~routed).sum()), int((~edge[~routed]).sum())
        rate_ci = share_interval(int(routed.sum()), len(test))
        error_ci = share_interval(wrong, kept)
        system = self._system(test, routed)
        return Achieved(
            n=len(test),
            kept=kept,
            cloud_rate=float(routed.mean()),
            cloud_rate_ci=rate_ci,
            edge_error=wrong / kept if kept else None,
            edge_error_ci=error_ci,
            held=self.target.outcome(cloud_rate_ci=rate_ci, accuracy_ci=system["accuracy_ci"], edge_error_ci=error_ci),
            **system,
        )

    def _system(self, test: Table, routed: st.Flags) -> dict[str, Any]:
        """The part that needs the cloud's answers, on the questions that have one."""
        known = test.cloud_known
        if not known.any():
            return {**dict.fromkeys(("accuracy", "accuracy_ci", "lift", "lift_ci")), "n_cloud": 0}
        both, sent = test.rows(known), routed[known]
        edge = both.edge_correct[self.signal.value]
        row, _ = routing_row(edge, both.cloud_correct, sent, resamples=self.resamples, seed=self.seed)
        correct = int(np.where(sent, both.cloud_correct, edge).sum())
        return {
            "accuracy": row["system"],
            "accuracy_ci": share_interval(correct, len(both)),
            "lift": row["lift"],
            "lift_ci": row["lift_ci"],
            "n_cloud": None if known.all() else len(both),
        }
