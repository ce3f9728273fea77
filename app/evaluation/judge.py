"""What chosen thresholds do on questions that had no part in choosing them."""

from dataclasses import dataclass

from app.calibration import Achieved, Target
from app.domain import Signal
from app.evaluation import statistics as st
from app.evaluation.report import routing_row
from app.evaluation.risk import clopper_pearson
from app.evaluation.table import Table


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges thresholds on test questions.

    Attributes:
        signal: the number that is compared with the thresholds.
        target: what was asked for.
        resamples: of the bootstrap behind the interval of the lift.
        seed: of the bootstrap.
    """

    signal: Signal
    target: Target
    resamples: int
    seed: int

    def judge(self, test: Table, taus: st.Floats | float) -> Achieved | None:
        """The numbers, and whether they show the target, refute it, or do neither.

        The intervals of shares are exact (Clopper and Pearson 1934), so that a handful of questions cannot show anything.

        Args:
            test: questions that the thresholds serve.
            taus: the threshold of each question, or one for all.

        Returns:
            None where there is no question.
        """
        if not len(test):
            return None
        routed = test.signal[self.signal.value] < taus
        edge = test.edge_right[self.signal.value]
        row, _ = routing_row(edge, test.cloud_right, routed, resamples=self.resamples, seed=self.seed)
        kept, wrong = int((~routed).sum()), int((~edge[~routed]).sum())
        correct = len(test) - wrong - int((routed & ~test.cloud_right).sum())
        rate_ci = clopper_pearson(int(routed.sum()), len(test))
        accuracy_ci = clopper_pearson(correct, len(test))
        error_ci = clopper_pearson(wrong, kept) if kept else None
        return Achieved(
            n=len(test),
            kept=kept,
            cloud_rate=row["cloud_rate"],
            cloud_rate_ci=rate_ci,
            accuracy=row["system"],
            accuracy_ci=accuracy_ci,
            edge_error=wrong / kept if kept else None,
            edge_error_ci=error_ci,
            lift=row["lift"],
            lift_ci=tuple(row["lift_ci"]),
            held=self.target.outcome(cloud_rate_ci=rate_ci, accuracy_ci=accuracy_ci, edge_error_ci=error_ci),
        )
