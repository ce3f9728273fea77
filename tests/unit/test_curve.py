"""The curve of a calibration: by hand on a few questions, and as `foggate calibrate` writes it."""

import json
from datetime import date

import pytest

from app.core.verdict import Signal
from app.data.calibration import ROUTES_ALL, read_calibration, write_calibration
from app.data.target import Target
from app.evaluation.calibrate import calibrate
from app.evaluation.curve import curve_of
from app.evaluation.risk import clopper_pearson
from app.evaluation.table import to_table
from tests.support.records import record, simulated

# Signal, whether the edge is correct, whether the cloud is; the fourth has no cloud answer.
ROWS = [(0.2, False, True), (0.4, False, True), (0.6, True, False), (0.8, True, None)]


def table():
    letters = {True: "A", False: "B", None: None}
    return to_table(
        [
            record(number, "law", 0.5, letters[edge], letters[cloud], expected=signal, marginal=letters[edge])
            for number, (signal, edge, cloud) in enumerate(ROWS)
        ],
        cloud_needed=False,
    )


def test_a_curve_by_hand():
    curve = curve_of(table(), Signal.EXPECTED, chosen=0.6)
    assert (curve.n, curve.n_cloud) == (4, 3)
    found = [(round(point.tau, 6), point.cloud_rate, point.kept, point.kept_accuracy) for point in curve.points]
    # The threshold that equals a signal keeps it.
    assert found == [
        (0.0, 0, 4, 0.5),
        (0.3, 0.25, 3, pytest.approx(2 / 3)),
        (0.5, 0.5, 2, 1),
        (0.6, 0.5, 2, 1),
        (0.7, 0.75, 1, 1),
        (1.0, 1, 0, None),
    ]
    # On the three with a cloud answer.
    assert [point.accuracy for point in curve.points] == [pytest.approx(share) for share in (1 / 3, 2 / 3, 1, 1, 2 / 3, 2 / 3)]
    assert curve.points[1].accuracy_ci == pytest.approx(clopper_pearson(2, 3))
    assert curve.points[2].kept_accuracy_ci == pytest.approx(clopper_pearson(2, 2))
    assert curve.points[4].kept_accuracy_ci is None, "one question has no interval"


def test_a_curve_of_the_written_confidence_ends_where_everything_is_routed():
    curve = curve_of(table(), Signal.VERBALIZED, chosen=0.25)
    assert [point.tau for point in curve.points] == [0.0, 0.25, 0.75]
    sure = to_table([record(number, "law", 1.0, "A", "A") for number in range(3)])
    assert [(point.tau, point.cloud_rate) for point in curve_of(sure, Signal.VERBALIZED, chosen=0.5).points] == [
        (0.0, 0),
        (0.5, 0),
        (ROUTES_ALL, 1),
    ]


def test_calibrate_writes_the_curve_and_the_chosen_threshold_stands_on_it(tmp_path):
    rows = simulated(200, 0)
    found = calibrate(rows, target=Target(kind="cloud_rate", value=0.4), signal=Signal.EXPECTED, today=date(2026, 1, 2), resamples=20)
    write_calibration(tmp_path / "c.json", found.calibration)
    written = read_calibration(tmp_path / "c.json")
    points = written.curve.points
    assert len(points) in {41, 42}
    assert [point.cloud_rate for point in points] == sorted(point.cloud_rate for point in points)
    assert (points[0].cloud_rate, points[-1].cloud_rate) == (0, 1)
    (own,) = (point for point in points if point.tau == written.tau)
    achieved = written.achieved
    assert (own.cloud_rate, own.kept, own.accuracy) == (achieved.cloud_rate, achieved.kept, achieved.accuracy)
    assert own.accuracy_ci == pytest.approx(achieved.accuracy_ci)
    assert "curve" not in written.summary(), "/v1/models stays short"


def test_a_calibration_without_a_curve_is_read_as_before(tmp_path):
    found = calibrate(
        simulated(60, 0), target=Target(kind="cloud_rate", value=0.5), signal=Signal.EXPECTED, today=date(2026, 1, 2), resamples=20
    )
    plain = found.calibration.model_dump(mode="json")
    del plain["curve"]
    (tmp_path / "c.json").write_text(json.dumps(plain))
    assert read_calibration(tmp_path / "c.json").curve is None
