"""The target of `foggate tune` where none is given, and the page about what was chosen."""

from html.parser import HTMLParser

import numpy as np
import pytest

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.target import Target
from app.evaluation.calibrate import FEWEST, calibrate
from app.evaluation.page import Tuned, render_page
from app.evaluation.risk import answers_needed
from app.evaluation.split import halves
from app.evaluation.table import to_table
from app.evaluation.tuning import Wanted, advice
from app.evaluation.tuning_curve import curve_of
from tests.support.populations import TODAY
from tests.support.records import simulated

HOSTILE = "<script>alert(1)</script> & 'law'"


def without(rows):
    return [{**row, "cloud_answer": None, "cloud_model": None} for row in rows]


def tuned(rows, target, **options):
    fit = calibrate(rows, target=target, signal=Signal.EXPECTED, today=TODAY, resamples=50, **options)
    table = to_table(rows, cloud_needed=target.kind == "accuracy")
    test = table.rows(halves(len(table), 0)[1])
    commands = [("Start <it>:", "foggate serve --config 'a & b/gateway.yaml'")]
    return Tuned(fit.calibration, test, "Why <so>.", ["A note & more."], commands, [("gateway.yaml", "settings")], ["2 threads"])


def test_without_a_target_the_system_may_lose_two_points_against_the_cloud():
    rows = simulated(400, 1)
    target, why = Wanted().target(rows, 0)
    fit, _ = halves(400, 0)
    cloud = np.mean([rows[number]["cloud_answer"] == "A" for number in fit])
    assert (target.kind, target.delta) == ("accuracy", None)
    assert 0 <= cloud - 0.02 - target.value < 1e-4
    assert "No target was given, so the target is the lowest cloud rate that loses at most 2 points" in why
    assert "(n = 200)" in why
    # It can always be reached on the half that chooses: at the worst, everything goes to the cloud.
    for seed in range(8):
        some = simulated(60, seed, knows=False, edge=0.2)
        calibrate(some, target=Wanted(within=0.0).target(some, seed)[0], signal=Signal.EXPECTED, seed=seed, today=TODAY, resamples=2)


def test_without_enough_cloud_answers_a_share_of_the_questions_is_the_target():
    rows = without(simulated(100, 1))
    target, why = Wanted(per_domain=True).target(rows, 0)
    assert (target.kind, target.value, target.per_domain) == ("cloud_rate", 0.4, True)
    assert why.startswith("No cloud answer is known")
    some = simulated(2 * FEWEST - 1, 1) + [row | {"id": f"x{row['id']}"} for row in rows]
    assert Wanted().target(some, 0)[1].startswith("Only 39 questions have both answers")


def test_where_nearly_everything_or_nothing_is_routed_it_is_said_what_to_do():
    def advised(target=None, **population):
        rows = simulated(200, 5, **population)
        target = target or Wanted(within=0.0).target(rows, 0)[0]
        return advice(calibrate(rows, target=target, signal=Signal.EXPECTED, today=TODAY, resamples=2).calibration)

    hopeless = {"edge": 0.1, "cloud": 0.95, "knows": False}
    assert advised(**hopeless)[0].startswith("To reach this accuracy nearly every question has to go to the cloud")
    assert advised(edge=0.9, cloud=0.5) == ["The edge alone reaches this accuracy, so nearly no question goes to the cloud."]
    assert advised(Target(kind="accuracy", value=0.7), edge=0.5, cloud=0.9) == []
    assert advised(Target(kind="cloud_rate", value=1.0), **hopeless) == []


@pytest.mark.parametrize(
    ("wanted", "kind", "value"),
    [
        (Wanted(cloud_rate=0.0), "cloud_rate", 0.0),
        (Wanted(accuracy=0.6), "accuracy", 0.6),
        (Wanted(edge_error=0.3, delta=0.2), "edge_error", 0.3),
    ],
)
def test_a_given_target_is_taken(wanted, kind, value):
    target, why = wanted.target(simulated(100, 1), 0)
    assert (target.kind, target.value, target.delta) == (kind, value, 0.2 if kind == "edge_error" else None)
    assert why.startswith("The target is the one of --")


def test_the_fewest_questions_of_a_promise_are_those_that_calibrate_can_succeed_with():
    needed = answers_needed(0.2, 0.1)
    with pytest.raises(ConfigError) as refused:
        Wanted(edge_error=0.2).check(20, cloud=False)
    enough = next(n for n in range(20, 100) if f"which is {n} questions" in refused.value.message)
    Wanted(edge_error=0.2).check(enough, cloud=False)
    fit = enough // 2
    assert fit - fit // 3 == needed
    # Of answers that are all correct so many suffice, and one fewer does not.
    rows = [row | {"gold": "A", "edge_answer": "A", "answer_probabilities": {"A": 0.7, "B": 0.3}} for row in simulated(enough, 0)]
    target = Target(kind="edge_error", value=0.2, delta=0.1)
    calibrate([{**row, "expected_confidence": 0.5} for row in rows], target=target, signal=Signal.EXPECTED, today=TODAY, resamples=2)


class Page(HTMLParser):
    """Tags that are open, tags and attributes that were seen, and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], set(), [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("cloud", [True, False])
def test_the_page_is_whole_loads_nothing_and_shows_hostile_names_as_text(cloud):
    rows = simulated(240, 2, domains=(HOSTILE, "math"))
    rows = [row | {"edge_model": HOSTILE} for row in (rows if cloud else without(rows))]
    target = Target(kind="cloud_rate", value=0.4, per_domain=True)
    shown = tuned(rows, target, min_domain=20)
    text = render_page(shown)
    page = Page(text)
    assert page.open == []
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "base", "form"})
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in {"src", "href", "xlink:href"}]
    # Nothing is fetched: no address, no import, no url() in the style.
    assert not [word for word in ("http:", "https:", "//", "@import", "url(") if word in text]
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert HOSTILE in page.text
    assert "foggate serve --config 'a & b/gateway.yaml'" in page.text
    assert shown.calibration.recommendation in page.text
    assert f"n = {shown.calibration.n_test}" in page.text
    assert ("points over random routing" in page.text) is cloud
    assert ("random routing, from the edge alone" in page.text) is cloud


@pytest.mark.parametrize("cloud", [True, False])
def test_the_chosen_point_lies_on_the_curve(cloud):
    rows = simulated(300, 3) if cloud else without(simulated(300, 3))
    shown = tuned(rows, Target(kind="cloud_rate", value=0.3))
    found = shown.calibration.achieved
    curve = curve_of(shown.test, Signal.EXPECTED, found, seed=0)
    assert (curve.n, curve.chosen.cloud_rate) == (150, found.cloud_rate)
    near = min(curve.points, key=lambda point: abs(point.cloud_rate - found.cloud_rate))
    assert near.accuracy == pytest.approx(curve.chosen.accuracy, abs=0.01)
    assert near.ci[0] <= near.accuracy <= near.ci[1]
    if cloud:
        assert (curve.points[0].accuracy, curve.points[-1].accuracy) == curve.random
        assert curve.chosen.accuracy == found.accuracy
    else:
        assert (curve.random, curve.chosen.accuracy) == (None, 1 - found.edge_error)


def test_a_threshold_that_keeps_nothing_has_a_page_too():
    rows = without([row | {"expected_confidence": 0.2} for row in simulated(80, 4)])
    text = render_page(tuned(rows, Target(kind="cloud_rate", value=1.0)))
    assert "the edge keeps no answer" in Page(text).text
