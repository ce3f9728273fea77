"""The curve of a calibration: what each threshold would have achieved on the test half, whose questions chose no threshold."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Interval = tuple[Share, Share]


class CurvePoint(BaseModel):
    """One threshold for all questions of the test half. Fractions; exact 95 % intervals (Clopper and Pearson 1934).

    Attributes:
        cloud_rate: share of the questions that go to the cloud.
        accuracy: accuracy of edge and cloud together, on the questions with a cloud answer; None without any.
        kept: number of answers of the edge model that are kept.
        kept_accuracy: accuracy of the kept answers; None where none is kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tau: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
    cloud_rate: Share
    accuracy: Share | None = None
    accuracy_ci: Interval | None = None
    kept: Annotated[int, Field(ge=0)]
    kept_accuracy: Share | None = None
    kept_accuracy_ci: Interval | None = None


class Curve(BaseModel):
    """Accuracy against cloud rate.

    Attributes:
        n: questions of the test half.
        n_cloud: those with a cloud answer, on which `accuracy` is measured.
        points: thresholds in ascending order, from one that sends nothing to the cloud.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: Annotated[int, Field(ge=0)]
    n_cloud: Annotated[int, Field(ge=0)]
    points: Annotated[tuple[CurvePoint, ...], Field(max_length=200)]
