"""A calibration is for questions with as many options as its data had enough of; every other one goes to the cloud, here and in every report."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.cli.commands import cli
from app.cli.eval_report import run_report
from app.config.settings import Settings
from app.core.buckets import BUCKET_LABELS, BUCKETS, FLAT_PATHS
from app.core.errors import ConfigError
from app.core.fitted import SHOWN_FEATURES, shown_features
from app.core.option_numbers import OptionNumbers
from app.core.outcome import CloudReply, Outcome, Reason, Route, RouteRequest
from app.core.policy import Policy
from app.core.question import Question
from app.core.verdict import JointVerdict, OptionsVerdict, Signal, TextVerdict
from app.data.calibration import read_calibration, write_calibration
from app.data.target import Target
from app.evaluation.calibrate import calibrate
from app.evaluation.calibrated import served_table
from app.evaluation.compare import OUTCOMES, compare
from app.evaluation.fitting import fit_logistic
from app.evaluation.judge import Judge
from app.evaluation.options_covered import FEWEST, numbers_of
from app.evaluation.split import halves
from app.evaluation.table import NO_SIGNAL, to_table
from app.evaluation.tuning_curve import curve_of
from app.gateway.build import build_policy, routing_notes
from app.gateway.explanations import explained
from tests.support.fitted import fitted_model, logistic
from tests.support.lettered import sample
from tests.support.populations import TODAY, drawn
from tests.support.records import write

RATE = Target(kind="cloud_rate", value=0.4)
TARGETS = [RATE, Target(kind="accuracy", value=0.6), Target(kind="edge_error", value=0.6, delta=0.2)]
SIGNALS = [Signal.EXPECTED, Signal.TOP_PROBABILITY, Signal.MARGIN, Signal.FITTED]


def mixed(n, seed, **options):
    """n questions of each number of options, each with a confidence of its own."""
    rows = []
    for at, (k, count) in enumerate(options.items()):
        draw = drawn(seed + at)
        for row in sample(count * n, draw, preference=(), options=(int(k[1:]),)):
            shares = draw.dirichlet([0.7] * 5)
            buckets = dict(zip(BUCKET_LABELS, shares.tolist(), strict=True))
            rows.append(
                row
                | {"id": f"{k}-{row['id']}", "confidence_probabilities": buckets, "expected_confidence": float(shares @ np.array(BUCKETS))}
            )
    return rows


def made(rows, *, signal=Signal.TOP_PROBABILITY, target=RATE, **more):
    keep = {"keep_fitted": True} if signal is Signal.FITTED else {}
    return calibrate(rows, target=target, signal=signal, today=TODAY, resamples=20, **keep, **more)


def verdict_of(shares, *, joint=True):
    if not joint:
        return OptionsVerdict.from_weights(shares)
    return JointVerdict.from_weights([[share * bucket for share in shares] for bucket in (0.1, 0.1, 0.1, 0.6, 0.1)], 3)


weights = st.lists(st.floats(0.01, 1), min_size=2, max_size=26)


@given(
    shares=weights,
    joint=st.booleans(),
    ends=st.tuples(st.integers(2, 26), st.integers(2, 26)),
    signal=st.sampled_from(Signal),
    tau=st.floats(0, 1),
    asked=st.none() | st.floats(0, 1),
    most=st.none() | st.floats(0, 1),
)
def test_outside_the_range_nothing_is_kept_that_is_not_forced_and_inside_it_changes_nothing(shares, joint, ends, signal, tau, asked, most):
    options = OptionNumbers.of(range(min(ends), max(ends) + 1))
    policy = Policy(tau, signal, fitted=logistic(("margin",)), options=options)
    free = Policy(tau, signal, fitted=logistic(("margin",)))
    verdict = policy.read(verdict_of(shares, joint=joint))
    decided = policy.decide(verdict, tau=asked, max_tau=most)
    if len(shares) in options.numbers:
        assert verdict == free.read(verdict_of(shares, joint=joint))
        assert decided == free.decide(verdict, tau=asked, max_tau=most)
    else:
        assert (decided.route, decided.reason, verdict.fitted) == (Route.CLOUD, Reason.NOT_CALIBRATED, None)
        assert policy.rereads(verdict, decided) is None
        assert policy.decide(verdict, route=RouteRequest.EDGE).route is Route.EDGE


def test_the_explanation_of_a_decision_says_why():
    decision = Policy(0.0, Signal.MARGIN, options=OptionNumbers((2, 3, 4, 5))).decide(verdict_of([0.1] * 8))
    question = Question("Which?", tuple("abcdefgh"))
    outcome = Outcome(question, decision, None, None, CloudReply("B", "big", 1, {}), 0.1, 0.2)
    assert explained(outcome)["explanation"] == (
        "The calibration is not for questions with 8 options, so there is no threshold for this one, and the cloud was to answer; the cloud answered."
    )


def test_a_letter_alone_has_no_signal_whatever_the_range():
    assert Policy(0.0, options=OptionNumbers((2, 3, 4, 5))).decide(TextVerdict("A")).reason is Reason.NO_SIGNAL


@given(st.lists(st.integers(2, 26), min_size=1, max_size=200))
def test_every_number_has_enough_questions_of_its_own_or_near_it_on_both_sides(counts):
    options, enough = np.array(counts, dtype=float), min(FEWEST, max(3, math.ceil(len(counts) / 10)), math.ceil(len(counts) / 2))
    found = numbers_of(options)
    held = set() if found is None else set(found.numbers)
    assert held <= set(range(min(counts), max(counts) + 1))
    for number in range(2, 27):
        own = counts.count(number)
        below, above = (sum(number / 1.5 <= count <= number for count in counts), sum(number <= count <= 1.5 * number for count in counts))
        assert (number in held) == (below >= enough and above >= enough)
        assert number in held or own < enough


@pytest.mark.parametrize(
    ("counts", "numbers"),
    [
        ({4: 59, 26: 1}, (4,)),
        ({2: 100, 26: 100}, (2, 26)),
        ({2: 30, 4: 300, 10: 9}, (2, 3, 4)),
        ({4: 30, 10: 470}, (4, 10)),
        ({4: 30, 6: 20, 8: 22, 9: 47, 10: 470}, (4, 5, 6, 7, 8, 9, 10)),
        ({3: 10, 12: 10}, (3, 12)),
        ({2: 1, 7: 1, 25: 1}, None),
    ],
)
def test_numbers_by_hand(counts, numbers):
    found = numbers_of(np.repeat(list(counts), list(counts.values())).astype(float))
    assert (found and found.numbers) == numbers


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.kind)
@pytest.mark.parametrize("signal", SIGNALS)
def test_gateway_calibration_and_report_route_the_same_questions(signal, target, tmp_path):
    """Among the data are nine questions with ten options and nine with two: too few to say anything about such questions."""
    rows = mixed(9, 1, k2=1, k3=20, k4=60, k10=1)
    # The few are answered wrongly and with a high signal.
    rows = [row | ({"gold": "B"} if row["id"].startswith(("k2-", "k10-")) else {}) for row in rows]
    found = made(rows, signal=signal, target=target).calibration
    assert found.options.numbers == (3, 4)
    assert found.options.n == {2: 9, 3: 180, 4: 540, 10: 9}
    assert found.scope.endswith("Questions with another number of options than 3 to 4 go to the cloud.")
    path = tmp_path / "c.json"
    write_calibration(path, found)
    assert read_calibration(path) == found
    policy = build_policy(Settings(policy={"calibration": str(path)}), found)
    table = served_table(rows, found)
    routed = table.signal[signal.value] < found.tau
    assert routed[~table.covered].all()
    assert not routed.all()
    # A promise of an edge error has its threshold on a question's own signal, where the rounding of a product decides.
    clear = np.abs(table.signal[signal.value] - found.tau) > 1e-9
    for row, sent in zip(table.records[clear], routed[clear].tolist(), strict=True):
        verdict = JointVerdict.from_weights(
            [[share * bucket for share in row["answer_probabilities"].values()] for bucket in row["confidence_probabilities"].values()], 2
        )
        assert (policy.decide(policy.read(verdict), domain=row["domain"]).route is Route.CLOUD) == sent
    _, test = halves(len(rows), found.seed)
    assert found.achieved.kept == int((~routed[test]).sum())


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_quality_of_a_signal_and_its_threshold_are_those_of_the_covered_questions(signal):
    """The few others change neither: they choose nothing and judge nothing, and count as sent."""
    rows = mixed(1, 3, k4=400, k10=6)
    fit = made(rows, signal=signal)
    for quality in fit.signals.values():
        assert 0 <= quality["ece"] <= 1
        assert 0 <= quality["brier"] <= 1
        assert quality["n"] < fit.calibration.n_test
    assert any(
        "6 of 406 questions of the data have another number of options than the thresholds are for (4)" in note for note in fit.notes
    )
    assert all(0 <= point.tau <= 1.01 for point in fit.calibration.curve.points)
    assert min(point.cloud_rate for point in fit.calibration.curve.points) > 0, "no threshold keeps what it is not for"


def test_a_promise_is_kept_where_only_questions_with_other_numbers_of_options_come():
    """Four options are easy here and ten impossible: whatever is promised, no question with ten options may be kept by luck."""
    for seed in range(20):
        rows = [row | ({"gold": "A"} if "k10" in row["id"] else {}) for row in mixed(1, 10 * seed, k4=300, k10=4)]
        found = made(rows, target=Target(kind="edge_error", value=0.5, delta=0.1), with_curve=False, seed=seed).calibration
        policy = build_policy(Settings(policy={"calibration": "c.json"}), found)
        sure = verdict_of([0.999, *[0.0001] * 9])
        assert policy.decide(policy.read(sure), tau=0.0).reason is Reason.NOT_CALIBRATED


@given(k=st.integers(2, 26), seed=st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_an_older_file_shows_the_numbers_of_options_in_the_ranges_of_its_model(k, seed):
    draw = np.random.default_rng(seed)
    shares = draw.dirichlet([0.5] * k, size=80)
    values = np.array([list(shown_features(row.tolist()).values()) for row in shares])
    correct = draw.random(80) < 0.2 + 0.6 * shares.max(axis=1)
    model = fit_logistic(SHOWN_FEATURES, values, correct)
    assert "log_options" not in model.features
    assert fitted_model(model).option_numbers() == OptionNumbers((k,))
    several = [shown_features(draw.dirichlet([0.5] * count).tolist()) for count in (k, k + 1, k + 3) for _ in range(30)]
    model = fit_logistic(SHOWN_FEATURES, np.array([list(row.values()) for row in several]), np.arange(90) % 2 == 0)
    assert fitted_model(model).option_numbers() == OptionNumbers.of(number for number in range(k, k + 4) if number <= 26)


def test_a_model_of_other_features_does_not_say_and_a_damaged_one_is_no_crash():
    assert fitted_model(logistic(("margin",))).option_numbers() is None
    wide = fitted_model(logistic(("log_options",)), lowest=(-1e12,), highest=(1e12,)).option_numbers()
    assert wide.numbers == tuple(range(2, 27))
    for top, above in ((1e-310, 0.0), (0.3, 0.2999999999999999), (0.001, 0.0), (0.5, 0.5), (0.2, 0.9)):
        ends = (top, above)
        assert fitted_model(logistic(("top_probability", "above_chance")), lowest=ends).option_numbers() is None


def reported(tmp_path, name, rows, path):
    out = tmp_path / name
    run_report(Settings(), records=write(tmp_path / f"{name}.jsonl", rows), out=out, seed=0, as_json=False, pictures=True, calibration=path)
    return json.loads((out / "report.json").read_text()), [json.loads(line) for line in (out / OUTCOMES).read_text().splitlines()]


@pytest.mark.parametrize("signal", [Signal.MARGIN, Signal.FITTED])
def test_a_report_judges_the_signals_on_what_they_are_for_and_says_how_many_are_not(signal, tmp_path, capsys):
    path = tmp_path / "c.json"
    found = made(mixed(1, 5, k4=400), signal=signal).calibration
    write_calibration(path, found)
    rows = mixed(1, 6, k4=60, k9=30)
    report, lines = reported(tmp_path, "mixed", rows, path)
    assert {name: entry["n"] for name, entry in report["signals"].items()} == dict.fromkeys(report["signals"], 60)
    assert "30 of 90 questions of the records have another number of options than the thresholds are for (4)" in " ".join(report["notes"])
    assert report["micro_mean"]["n"] == 90
    assert report["micro_mean"]["cloud_rate"] >= 30 / 90
    assert [line["signal"] is None for line in lines] == [False] * 60 + [True] * 30
    assert all(line["routed"] for line in lines[60:])
    assert sum(entry["n"] for entry in report["buckets"].values()) == 90, "what the model says is no threshold's business"
    other, _ = reported(tmp_path, "again", rows, path)
    assert other["signals"] == report["signals"]
    pair = compare([tmp_path / name / "report.json" for name in ("mixed", "again")])["reports"][1]["against_first"]
    assert pair["signals"]["auroc"]["first"] == pytest.approx(report["signals"][signal.value]["auroc"])
    assert pair["signals"]["lift_at_rate"]["difference"] == 0


def test_records_without_any_such_question_are_refused_with_a_sentence(tmp_path):
    path = tmp_path / "c.json"
    write_calibration(path, made(mixed(1, 5, k4=100)).calibration)
    with pytest.raises(ConfigError, match="for questions with 4 options, and no question of the records"):
        reported(tmp_path, "none", mixed(1, 6, k10=40), path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"options": {"numbers": [5, 4], "n": {"4": 9, "5": 9}}}, "'numbers' must be ascending, each once"),
        ({"options": {"numbers": [4, 4], "n": {"4": 9}}}, "'numbers' must be ascending, each once"),
        ({"options": {"numbers": [], "n": {"4": 9}}}, "at least 1 item"),
        ({"options": {"numbers": [4], "n": {}}}, "at least 1 item"),
        ({"options": {"numbers": [1, 4], "n": {"4": 9}}}, "greater than or equal to 2"),
        ({"options": {"numbers": [4, 27], "n": {"4": 9}}}, "less than or equal to 26"),
        ({"options": {"numbers": [4], "n": {"4": 0}}}, "greater than or equal to 1"),
        ({"options": {"numbers": [4, 5], "n": {"4": 9}}}, "'numbers' goes from 4 to 5, and 'n' from 4 to 4"),
        ({"options": None}, "its version is 4, and it holds neither numbers of options nor a letter prior"),
        ({"version": 2}, "its version is 2, and it holds numbers of options"),
    ],
)
def test_damage_is_refused_with_a_sentence(changes, says, tmp_path):
    path = tmp_path / "c.json"
    write_calibration(path, made(mixed(1, 5, k4=100)).calibration)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ConfigError, match=says):
        read_calibration(path)


def test_a_file_that_does_not_say_is_used_for_every_number_and_a_start_says_so():
    told = [made(mixed(1, 5, k4=100)).calibration, made(mixed(1, 5, k4=100), signal=Signal.FITTED).calibration]
    older = [found.model_copy(update={"version": 2, "options": None}) for found in told]
    settings = Settings(policy={"calibration": "c.json"})
    said = [any("how many options" in note for note in routing_notes(settings, found)) for found in (*told, *older)]
    assert said == [False, False, True, False], "the model of the signal fitted shows it"
    assert build_policy(settings, older[0]).options is None
    assert build_policy(settings, older[1]).options == OptionNumbers((4,))


@pytest.mark.parametrize(
    ("numbers", "says"), [((4,), "4"), ((2, 3, 4), "2 to 4"), ((2, 26), "2 and 26"), ((2, 4, 5, 6, 10), "2, 4 to 6 and 10")]
)
def test_the_numbers_in_words(numbers, says):
    assert str(OptionNumbers.of(reversed(numbers))) == says


def test_questions_without_a_range_have_every_signal():
    table = to_table(mixed(1, 7, k4=10, k10=10))
    assert table.covered.all()
    assert not any((values == NO_SIGNAL).any() for values in table.signal.values())


def test_no_mean_over_orders_lifts_a_question_that_the_threshold_is_not_for():
    rows = [row | {"permuted": row | {"reads": 2, "answer_probabilities": _sharper(row)}} for row in mixed(1, 8, k4=200, k10=5)]
    found = made(rows, permutation_band=0.1, with_curve=False).calibration
    assert found.permutation.reread_share > 0
    table = served_table(rows, found)
    assert np.isneginf(table.signal["top_probability"][200:]).all()
    assert np.isfinite(table.signal["top_probability"][:200]).all()


def _sharper(row):
    """The same option with nearly all of the probability."""
    most = max(row["answer_probabilities"], key=row["answer_probabilities"].__getitem__)
    rest = 0.01 / (len(row["answer_probabilities"]) - 1)
    return {letter: 0.99 if letter == most else rest for letter in row["answer_probabilities"]}


def test_a_plan_leaves_such_questions_out_and_says_so(tmp_path):
    rows = [
        row | {"gold": max(row["answer_probabilities"], key=row["answer_probabilities"].__getitem__)} for row in mixed(1, 9, k4=120, k10=5)
    ]
    path = write(tmp_path / "r.jsonl", rows)
    done = CliRunner().invoke(cli, ["calibrate", "--records", str(path), "--plan", "--max-edge-error", "0.2", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["plan"]["n"] == 120
    assert (
        "5 of 125 questions of the pilot have another number of options than the thresholds are for (4): they are left out of the plan"
        in said["notes"]
    )


@pytest.mark.parametrize("more", [{"letter_prior": "on"}, {"signal": Signal.EXPECTED, "with_temperature": True}])
def test_a_table_that_is_computed_anew_keeps_its_range(more):
    rows = [row | {"bucket_paths": FLAT_PATHS} for row in mixed(1, 11, k4=200, k10=6)]
    fit = made(rows, **more)
    assert fit.calibration.options.numbers == (4,)
    assert {quality["n"] for quality in fit.signals.values()} == {int(served_table(rows, fit.calibration).covered[halves(206, 0)[1]].sum())}
    assert fit.calibration.achieved.kept < fit.calibration.n_test
    assert all(np.isfinite(value) for row in fit.temperature_report.values() for value in row.values())


def test_a_rate_that_cannot_be_reached_because_of_them_says_so():
    rows = mixed(1, 12, k4=180, k9=9, k2=9)
    with pytest.raises(ConfigError, match=r"; \d+ questions of \d+ with another number of options than 4 go to the cloud in any case"):
        made(rows, target=Target(kind="cloud_rate", value=0.0))


def test_of_few_questions_few_are_left_out():
    assert made(mixed(8, 13, k2=1, k3=1, k4=1, k5=1, k6=1)).calibration.options.numbers == (2, 3, 4, 5, 6)


def test_no_number_with_enough_questions_is_refused_and_so_is_a_half_that_checks_nothing():
    rows = mixed(1, 14, k2=1, k7=1, k10=1)
    with pytest.raises(ConfigError, match=r"^3 questions with 2, 7 and 10 options are too few of each to choose a threshold"):
        made(rows, target=Target(kind="edge_error", value=0.9, delta=0.5))
    fit, _ = halves(40, 0)
    rows = [row | {"id": str(at)} for at, row in enumerate(mixed(1, 15, k4=40))]
    others = mixed(1, 16, k10=40)
    split = [rows[at] if at in set(fit.tolist()) else others[at] | {"id": str(at)} for at in range(40)]
    with pytest.raises(
        ConfigError, match=r"^no question of the half that checks the thresholds has a number of options that they are for \(4\)"
    ):
        made(split)


def test_what_the_number_of_options_sends_is_no_merit_of_the_signal(tmp_path):
    """Ten options are always answered wrongly and four half of the time, whatever the signal says; sending the ten is a lift."""
    draw = np.random.default_rng(3)
    rows = []
    for row in mixed(1, 17, k4=300, k10=300):
        letters = list(row["answer_probabilities"])
        chosen = max(row["answer_probabilities"], key=row["answer_probabilities"].__getitem__)
        wrong = len(letters) == 10 or draw.random() < 0.5
        gold = next(letter for letter in letters if letter != chosen) if wrong else chosen
        rows.append(row | {"gold": gold, "cloud_answer": gold if draw.random() < 0.8 else chosen})
    path = tmp_path / "c.json"
    write_calibration(path, made(rows[:300], signal=Signal.MARGIN).calibration)
    report, _ = reported(tmp_path, "half", rows, path)
    assert report["micro_mean"]["lift_ci"][0] > 0
    assert report["recommendation"].startswith("The interval of the lift over random includes zero")
    assert "n = 300" in report["recommendation"]
    steps = {step["tau"]: step for step in report["tau_steps"]}
    assert all(step["n"] == 600 and step["kept"] <= 300 for step in steps.values())


@pytest.mark.parametrize("few", [1, 3, 4, 5])
def test_a_page_is_drawn_of_few_covered_questions(few):
    table = to_table([row | {"cloud_answer": None} for row in mixed(1, 18, k4=few, k10=30)], cloud_needed=False)
    table = table.with_numbers(OptionNumbers((4,)))
    achieved = Judge(Signal.MARGIN, RATE, 20, 0).judge(table, 0.5)
    curve = curve_of(table, Signal.MARGIN, achieved, seed=0)
    assert all(point.cloud_rate >= 30 / (30 + few) for point in curve.points)
    assert curve.points


def test_the_curve_of_edge_and_cloud_begins_where_a_threshold_can_reach():
    table = to_table(mixed(1, 19, k4=60, k10=20)).with_numbers(OptionNumbers((4,)))
    curve = curve_of(table, Signal.MARGIN, Judge(Signal.MARGIN, RATE, 20, 0).judge(table, 0.5), seed=0)
    assert curve.points[0].cloud_rate == 0.25
    assert curve.points[-1].cloud_rate == 1


@pytest.mark.parametrize("target", TARGETS[:2], ids=lambda target: target.kind)
@pytest.mark.parametrize("min_domain", [20, 100])
def test_a_domain_without_such_questions_gets_no_threshold_that_keeps_others(target, min_domain):
    """Law has four options; of zed there are a few questions with 2, 9 and 26. A four-option question of zed, or of no domain, is not kept by luck."""
    law = [row | {"domain": "law"} for row in mixed(1, 20, k4=400)]
    zed = [row | {"domain": "zed"} for row in mixed(1, 21, k2=9, k9=9)]
    wanted = Target(kind=target.kind, value=0.72 if target.kind == "accuracy" else target.value, per_domain=True)
    found = made([*law, *zed], target=wanted, min_domain=min_domain).calibration
    assert found.options.numbers == (4,)
    assert set(found.domains) == {"law"}
    assert found.tau == pytest.approx(found.domains["law"].tau, abs=0.05)
    assert found.domains["law"].tau > 0.2
