"""Which questions choose, certify and judge a threshold: those that it will serve, and what is said of the others."""

from datetime import date

import numpy as np
import pytest

from app.config.settings import Settings
from app.core.errors import ConfigError
from app.core.outcome import Route
from app.core.verdict import Signal
from app.data.calibration import ROUTES_ALL
from app.data.target import Target
from app.evaluation.calibrate import calibrate
from app.evaluation.calibration_markdown import render_calibration
from app.evaluation.groups import group, scope
from app.evaluation.risk import certify, proposing_part
from app.evaluation.table import to_table
from app.gateway.build import build_policy
from tests.support.fakes import make_verdict
from tests.support.records import flat, halves, record, simulated

TODAY = date(2026, 1, 2)


# Every question of these tests has four options.
NO_OTHERS = " Questions with another number of options than 4 go to the cloud."


def fitted(rows, kind, value, *, signal=Signal.EXPECTED, delta=None, per_domain=True, **kwargs):
    target = Target(kind=kind, value=value, delta=delta, per_domain=per_domain)
    return calibrate(rows, target=target, signal=signal, today=TODAY, resamples=20, **kwargs)


def test_a_domain_of_exactly_the_minimum_has_its_own_threshold_and_one_less_is_pooled():
    found = fitted(flat({"law": 40, "art": 39, "bio": 60}, {"law": 3, "art": 4, "bio": 5}), "cloud_rate", 0.0, min_domain=40)
    calibration = found.calibration
    assert (set(calibration.domains), calibration.pooled) == ({"law", "bio"}, ["art"])
    assert {name: own.n for name, own in calibration.domains.items()} == {"law": 40, "bio": 60}
    assert (calibration.n_shared, calibration.achieved_shared.n, calibration.achieved.n) == (39, 39, 139)
    assert "pooled, because they have fewer than 40 questions in the fit half: art (39); they share one threshold" in found.notes


def test_without_per_domain_nothing_is_pooled_however_small_the_domains_are():
    calibration = fitted(flat({"law": 20, "art": 2}, {"law": 3, "art": 2}), "cloud_rate", 0.0, per_domain=False).calibration
    assert (calibration.domains, calibration.pooled, calibration.n_shared, calibration.achieved_shared) == ({}, [], 22, None)
    assert calibration.scope.removesuffix(NO_OTHERS) == (
        "The target is set for all domains in a mixture like that of the data (not for each of them). "
        "Nothing is promised for domains that are not in the data."
    )


def test_the_shared_threshold_is_judged_on_the_pooled_questions_and_each_own_one_on_its_domain():
    rows = flat({"law": 60, "art": 20, "bio": 10}, {"law": 10**9, "art": 2, "bio": 2})
    calibration = fitted(rows, "cloud_rate", 0.0, min_domain=50).calibration
    # By hand: of every domain's block the places 0, 2, 4 … (of the whole half) are wrong, and law's very first.
    assert calibration.domains["law"].achieved.edge_error == pytest.approx(1 / 60)
    assert (calibration.achieved_shared.n, calibration.achieved_shared.edge_error) == (30, 0.5)
    assert calibration.achieved.edge_error == pytest.approx(16 / 90)


def test_where_every_domain_has_its_own_threshold_the_shared_one_is_that_of_all_questions_together():
    rows = simulated(1200, 4)
    found = fitted(rows, "edge_error", 0.45, delta=0.3)
    alone = fitted(rows, "edge_error", 0.45, delta=0.1, per_domain=False)
    assert found.calibration.pooled == []
    assert found.calibration.n_shared == 600
    # Three promises share delta; the questions that propose are a third of each domain instead of a third of all.
    assert found.calibration.tau == pytest.approx(alone.calibration.tau, abs=0.1)
    assert "delta is shared among 3 promises, so that all hold together: each is tested at 0.1" in found.notes
    assert found.calibration.scope.removesuffix(NO_OTHERS) == (
        "The promise holds for each of the domains law, math and for questions that name no domain, if their domains are mixed as in the "
        "data. Nothing is promised for domains that are not in the data: they get the shared threshold."
    )
    assert "| no domain named | 600 |" in render_calibration(found)


def test_delta_is_shared_by_the_own_domains_and_the_shared_threshold():
    rows = flat({"law": 100, "art": 100, "bio": 30, "tax": 30}, dict.fromkeys(("law", "art", "bio", "tax"), 2))
    with pytest.raises(ConfigError, match=r"cannot be promised for the domain 'art' \(n = 100\) at delta = 0\.1: the best that can be is"):
        fitted(rows, "edge_error", 0.2, delta=0.3, min_domain=100)
    with pytest.raises(ConfigError, match=r"for all domains together \(n = 260\) at delta = 0\.3: "):
        fitted(rows, "edge_error", 0.2, delta=0.3, per_domain=False)
    with pytest.raises(ConfigError, match=r"for the pooled domains art, bio, law, tax together \(n = 260\) at delta = 0\.3: "):
        fitted(rows, "edge_error", 0.2, delta=0.3, min_domain=101)


def test_pooled_domains_for_which_nothing_can_be_promised_are_routed_and_so_is_a_domain_that_nobody_knows():
    rows = flat({"law": 300, "art": 30, "bio": 20}, {"law": 10**9, "art": 2, "bio": 2})
    found = fitted(rows, "edge_error", 0.2, delta=0.1)
    calibration = found.calibration
    assert (calibration.tau, calibration.domains["law"].tau) == (ROUTES_ALL, 0.5)
    assert (calibration.achieved_shared.cloud_rate, calibration.achieved_shared.edge_error) == (1.0, None)
    assert calibration.achieved_shared.held == "not enough data"
    assert any(
        note.startswith("an edge error of 0.2 cannot be promised for the pooled domains art, bio together (n = 50) at delta = 0.05: ")
        and note.endswith("; all of their questions go to the cloud (tau = 1.01)")
        for note in found.notes
    )
    assert calibration.scope.removesuffix(NO_OTHERS) == (
        "The promise holds for the domain law. Nothing is promised for the pooled domains art, bio, domains that are "
        "not in the data or questions that name no domain: they get the shared threshold."
    )
    policy = build_policy(Settings(), calibration)
    certain = make_verdict(1.0)
    assert {name: policy.decide(certain, domain=name).route for name in ("law", "art", "chess", None)} == {
        "law": Route.EDGE,
        "art": Route.CLOUD,
        "chess": Route.CLOUD,
        None: Route.CLOUD,
    }


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (
            "accuracy",
            0.9,
            "an accuracy of 0.9 cannot be reached for the pooled domains art together: the best is 0.500, at a cloud rate of",
        ),
        ("cloud_rate", 0.5, "a cloud rate of 0.5 cannot be reached for the pooled domains art together with the expected confidence"),
    ],
)
def test_pooled_domains_that_miss_a_target_get_the_nearest_threshold_and_that_is_said(kind, value, says):
    """Law's confidences are spread and its cloud is perfect; art's are all alike, and its cloud knows nothing."""
    law = [row | {"cloud_answer": "A"} for row in simulated(400, 1, domains=("law",))]
    art = [record(f"a{number}", "art", 0.5, letter, "B", marginal=letter) for number, letter in enumerate("AB" * 20)]
    found = fitted([*law, *art], kind, value)
    assert found.calibration.domains.keys() == {"law"}
    shared = next(note for note in found.notes if "together" in note)
    assert shared.startswith(says.rsplit(" the best is 0.500", 1)[0])
    assert shared.endswith(f"; they get the nearest threshold, {found.calibration.tau:.4g}")
    assert "Nothing is promised for the pooled domains art" in found.calibration.scope


@pytest.mark.parametrize(("n", "own"), [(20, True), (19, False), (1, False)])
def test_pooled_domains_with_a_handful_of_questions_get_the_threshold_of_all_domains_together(n, own):
    """Art's confidences are far below law's, so that a threshold of its own would be too."""
    size = 100
    rows = [None] * (2 * size)
    for half in halves(len(rows)):
        for at, place in enumerate(half.tolist()):
            is_art = at < n
            expected = 0.01 + at / 1000 if is_art else 0.5 + at / 1000
            rows[place] = record(place, "art" if is_art else "law", 0.5, "A", "A", expected=expected)
    found = fitted(rows, "cloud_rate", 0.5, min_domain=80)
    assert (found.calibration.pooled, found.calibration.n_shared) == (["art"], n)
    assert (found.calibration.tau < 0.1) is own
    note = f"the fit half holds {n} question{'' if n == 1 else 's'} of the pooled domains art together, and 20 are needed"
    said = [line for line in found.notes if line.startswith("the fit half holds")]
    together = fitted(rows, "cloud_rate", 0.5, per_domain=False).calibration.tau
    assert said == ([] if own else [f"{note}; they get the threshold of all domains together, {together:.4g}"])
    assert ("Nothing is promised for the pooled domains art" in found.calibration.scope) is not own


def test_a_domain_that_only_the_test_half_holds_is_pooled_and_has_no_say():
    n = 400
    _, test_rows = halves(n)
    rows = [row | {"cloud_answer": "A"} for row in simulated(n, 2, domains=("law",))]
    for place in test_rows[:3]:
        rows[place] = {**rows[place], "domain": "art"}
    for kind, value, delta in (("cloud_rate", 0.3, None), ("accuracy", 0.7, None), ("edge_error", 0.5, 0.1)):
        found = fitted(rows, kind, value, delta=delta)
        assert (found.calibration.pooled, found.calibration.n_shared) == (["art"], 0)
        assert found.calibration.achieved_shared.n == 3
        assert found.calibration.tau == (ROUTES_ALL if kind == "edge_error" else found.calibration.domains["law"].tau)
        assert "Nothing is promised for the pooled domains art" in found.calibration.scope


def test_every_threshold_is_the_certified_one_of_its_own_questions_and_each_test_question_meets_its_own():
    """Put together by hand for another seed than 0: halves, thirds, shares of delta, and what each test question is compared with."""
    seed = 3
    rows = simulated(1500, 6, domains=("law", "law", "math", "art", "bio"))
    found = fitted(rows, "edge_error", 0.5, delta=0.3, min_domain=200, seed=seed).calibration
    table = to_table(rows)
    fit_rows, test_rows = halves(len(rows), seed)
    fit, test = table.rows(fit_rows), table.rows(test_rows)
    taus = {}
    for name, members in {"law": ["law"], "rest": ["math", "art", "bio"]}.items():
        part = fit.rows(np.isin(fit.domain, members))
        signal, wrong = part.signal["expected"], ~part.edge_correct["expected"]
        taus[name] = certify(signal, wrong, max_error=0.5, delta=0.15, proposing=proposing_part(len(part), seed)).tau
    assert {name: own.tau for name, own in found.domains.items()} == {"law": taus["law"]}
    assert (found.tau, found.pooled, found.n_shared) == (taus["rest"], ["art", "bio", "math"], len(part))
    is_law = test.domain == "law"
    routed = test.signal["expected"] < np.where(is_law, taus["law"], taus["rest"])
    assert taus["law"] != taus["rest"]
    assert found.achieved.cloud_rate == pytest.approx(routed.mean())
    assert (found.domains["law"].achieved.n, found.domains["law"].n) == (is_law.sum(), (fit.domain == "law").sum())
    assert found.domains["law"].achieved.cloud_rate == pytest.approx(routed[is_law].mean())
    assert found.achieved_shared.cloud_rate == pytest.approx(routed[~is_law].mean())


def test_one_pooled_domain_is_named_alone_and_several_as_a_mixture():
    table = to_table(flat({"law": 30, "art": 5, "bio": 5}, dict.fromkeys(("law", "art", "bio"), 2)))
    target = Target(kind="edge_error", value=0.2, delta=0.1, per_domain=True)
    domains = ["law", "art", "bio"]
    assert "and for the pooled domains art, bio in a mixture like that of the data (not for each of them)." in scope(
        group(table, domains, per_domain=True, min_domain=60), target, None, shared_missed=False
    )
    one = group(table.rows(table.domain != "bio"), ["law", "art"], per_domain=True, min_domain=60)
    assert scope(one, target, None, shared_missed=False) == (
        "The promise holds for the domain law and for the pooled domain art. "
        "Nothing is promised for domains that are not in the data or questions that name no domain: they get the shared threshold."
    )
    none = group(table, domains, per_domain=True, min_domain=1000)
    assert (none.own, none.promises) == ((), 1)
    assert scope(none, target, None, shared_missed=False).startswith("The promise holds for the pooled domains art, bio, law in a mixture")


def test_a_third_of_the_questions_of_every_threshold_proposes():
    table = to_table(flat({"law": 60, "art": 15, "bio": 10}, dict.fromkeys(("law", "art", "bio"), 2)))
    for min_domain, per_domain in ((100, True), (1, True), (10**6, True), (1, False)):
        groups = group(table, table.domains, per_domain=per_domain, min_domain=min_domain)
        flags = groups.proposing(table, 5)
        for part in [*(table.domain == name for name in groups.own), groups.shared(table)]:
            assert int(flags[part].sum()) == (int(part.sum()) // 3 if part.sum() % 3 == 0 else int(flags[part].sum()))
        if groups.pooled and groups.own:
            assert int(flags[groups.shared(table)].sum()) == 50 // 3
    assert int(proposing_part(100, 0).sum()) == 33
    assert not np.array_equal(proposing_part(100, 0), proposing_part(100, 1))
