"""A report of a calibration is a report of what a gateway with it serves: by the same rule, for the same edge."""

import json
import math
from datetime import date

import numpy as np
import pytest

from app.cli.eval_report import run_report
from app.config.settings import Settings
from app.core.buckets import BUCKET_LABELS, FLAT_PATHS
from app.core.errors import ConfigError
from app.core.outcome import Route
from app.core.verdict import JointVerdict, Signal
from app.data.calibration import ROUTES_ALL, write_calibration
from app.data.records import load_records
from app.data.target import Target
from app.evaluation.calibrate import calibrate
from app.evaluation.compare import OUTCOMES
from app.gateway.build import build_policy
from tests.support.records import record, simulated, write

TODAY = date(2026, 1, 2)
EDGE = {"edge_model": "small+tuned", "edge_fingerprint": "abc"}


def rows_of(n=240, seed=0, **more):
    """Records whose expected confidence is that of their buckets, so that a temperature may be fitted."""
    draw = np.random.default_rng(seed)
    rows = []
    for row in simulated(n, seed, domains=("law", "math", "art")):
        shares = draw.dirichlet([0.7] * 5)
        verdict = verdict_of(shares, "A")
        buckets = dict(zip(BUCKET_LABELS, map(float, shares), strict=True))
        rows.append(
            {
                **row,
                **EDGE,
                "confidence_probabilities": buckets,
                "expected_confidence": verdict.expected_confidence,
                "bucket_paths": FLAT_PATHS,
            }
            | {"confidence": verdict.confidence}
            | more
        )
    return rows


def verdict_of(shares, letter):
    """The verdict that such buckets come from."""
    row = [0.7 if name == letter else 0.1 for name in "ABCD"]
    return JointVerdict.from_weights([[share * p for p in row] for share in shares], int(np.argmax(shares)))


def fitted(rows, path, kind="cloud_rate", value=0.4, *, per_domain=False, signal=Signal.EXPECTED, **kwargs):
    target = Target(kind=kind, value=value, per_domain=per_domain)
    found = calibrate(rows, target=target, signal=signal, today=TODAY, resamples=20, min_domain=20, **kwargs).calibration
    write_calibration(path, found)
    return found


def reported(tmp_path, rows, settings=None, **kwargs):
    """The report of the command, and its outcomes by id."""
    out = tmp_path / "report"
    run_report(settings or Settings(), records=write(tmp_path / "r.jsonl", rows), out=out, seed=0, as_json=False, pictures=False, **kwargs)
    lines = [json.loads(line) for line in (out / OUTCOMES).read_text().splitlines()]
    return json.loads((out / "report.json").read_text()), {line["id"]: line for line in lines}, (out / "report.md").read_text()


def test_every_question_is_routed_as_the_gateway_routes_it(tmp_path, capsys):
    """Signals lie exactly on thresholds, there is a temperature, and one domain has no threshold of its own."""
    rows = [*rows_of(), *[{**row, "id": f"x{row['id']}", "domain": "bio"} for row in rows_of(12, 5)]]
    path = tmp_path / "c.json"
    found = fitted(rows, path, per_domain=True, with_temperature=True)
    assert found.temperature != 1
    assert set(found.domains) == {"law", "math", "art"}
    policy = build_policy(Settings(), found)
    rows = load_records(write(tmp_path / "read.jsonl", rows))
    # A question of each domain lies on the threshold: `>=` keeps it.
    verdicts = {}
    for row in rows:
        shares = [row["confidence_probabilities"][label] for label in BUCKET_LABELS]
        verdicts[row["id"]] = policy.read(verdict_of(shares, "A"))
    on_it = {row["domain"]: verdicts[row["id"]].signal(Signal.EXPECTED) for row in rows}
    content = json.loads(path.read_text())
    content["tau"] = on_it["bio"]
    for name, part in content["domains"].items():
        part["tau"] = on_it[name]
    path.write_text(json.dumps(content))
    policy = build_policy(Settings(policy={"calibration": path}), type(found).model_validate(content))

    report, lines, text = reported(tmp_path, rows, calibration=path)
    assert (report["signal"], report["temperature"], report["tau"]) == ("expected", found.temperature, content["tau"])
    assert report["thresholds"] == {name: part["tau"] for name, part in content["domains"].items()}
    kept = 0
    for row in rows:
        verdict = verdicts[row["id"]]
        decision = policy.decide(verdict, domain=row["domain"])
        assert lines[row["id"]]["routed"] is (decision.route is Route.CLOUD), row["id"]
        assert math.isclose(lines[row["id"]]["signal"], verdict.signal(Signal.EXPECTED), rel_tol=1e-12)
        kept += decision.route is Route.EDGE
    assert report["edge"]["all"]["kept"] == kept
    assert report["edge"]["domains"]["bio"]["tau"] == content["tau"]
    assert "As a gateway serves with the calibration of 2026-01-02 (target: cloud rate 0.4)" in text
    assert "| domain | n | tau |" in text
    assert "chosen on half of these very questions" in text
    assert report["calibration"]["created"] == "2026-01-02"


def test_a_report_of_the_test_half_says_what_the_calibration_achieved(tmp_path):
    rows = rows_of(400)
    found = fitted(rows, tmp_path / "c.json")
    test = [rows[at] for at in np.random.default_rng(0).permutation(400)[200:]]
    report, _, text = reported(tmp_path, test, calibration=tmp_path / "c.json")
    achieved = found.achieved
    assert report["micro_mean"]["cloud_rate"] == pytest.approx(achieved.cloud_rate)
    assert report["micro_mean"]["system"] == pytest.approx(achieved.accuracy)
    assert report["edge"]["all"]["edge_error"] == pytest.approx(achieved.edge_error)
    assert report["edge"]["all"]["edge_error_ci"] == pytest.approx(achieved.edge_error_ci)
    # Only half of them are those that were calibrated on.
    assert "these very questions" not in text


def test_everything_is_routed_by_a_threshold_above_every_signal(tmp_path):
    rows = [{**row, "expected_confidence": 1.0} for row in rows_of(60)]
    found = fitted(rows_of(60), tmp_path / "c.json")
    write_calibration(tmp_path / "c.json", found.model_copy(update={"tau": ROUTES_ALL}))
    report, lines, _ = reported(tmp_path, rows, calibration=tmp_path / "c.json")
    assert all(line["routed"] for line in lines.values())
    assert report["recommendation"].startswith("Everything is routed: of 60 questions")


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"edge_model": "large+tuned"}, "another edge model: it was made with small, the records with large"),
        ({"edge_model": "small+new"}, "another adapter: it was made with tuned, the records with new"),
        ({"edge_model": "small"}, "another adapter: it was made with tuned, the records with none"),
        ({"edge_fingerprint": "xyz"}, "another weights fingerprint: it was made with abc, the records with xyz"),
        ({"prompt_version": "p9"}, "another prompt version: it was made with p1, the records with p9"),
    ],
)
def test_a_calibration_of_another_edge_is_refused(tmp_path, other, says):
    fitted(rows_of(60), tmp_path / "c.json")
    with pytest.raises(ConfigError, match=rf"c\.json is for {says.replace('+', '[+]')}; no gateway serves"):
        reported(tmp_path, rows_of(60, **other), calibration=tmp_path / "c.json")
    assert not (tmp_path / "report").exists()


def test_records_that_do_not_know_their_weights_are_taken(tmp_path):
    fitted(rows_of(60), tmp_path / "c.json")
    rows = [{key: value for key, value in row.items() if key != "edge_fingerprint"} for row in rows_of(60)]
    assert reported(tmp_path, rows, calibration=tmp_path / "c.json")[0]["n"] == 60


@pytest.mark.parametrize("given", [{"tau": 0.5}, {"signal": "expected"}, {"tau": 0.0, "signal": "verbalized"}])
def test_a_tau_or_a_signal_beside_a_calibration_is_refused(tmp_path, given):
    fitted(rows_of(60), tmp_path / "c.json")
    with pytest.raises(ConfigError, match="--calibration sets tau and signal: leave out --tau and --signal"):
        reported(tmp_path, rows_of(60), calibration=tmp_path / "c.json", **given)


@pytest.mark.parametrize(("text", "says"), [("{", "not JSON"), ("{}", "is not a calibration"), (None, "cannot be read")])
def test_what_is_no_calibration_is_said(tmp_path, text, says):
    if text is not None:
        (tmp_path / "c.json").write_text(text)
    with pytest.raises(ConfigError, match=says):
        reported(tmp_path, rows_of(20), calibration=tmp_path / "c.json")


def test_thresholds_of_the_settings_win_as_they_do_when_it_is_served(tmp_path):
    found = fitted(rows_of(), tmp_path / "c.json", per_domain=True)
    settings = Settings(policy={"domains": {"law": {"tau": 0.0}}})
    report, _, text = reported(tmp_path, rows_of(), settings, calibration=tmp_path / "c.json")
    assert report["thresholds"] == {"law": 0.0, "math": found.domains["math"].tau, "art": found.domains["art"].tau}
    assert report["domains"]["law"]["cloud_rate"] == 0
    assert "The thresholds of law are those of `policy.domains`" in text


def test_a_domain_that_the_calibration_does_not_know_is_named(tmp_path):
    fitted(rows_of(), tmp_path / "c.json", per_domain=True)
    rows = [{**row, "domain": "history"} if row["domain"] == "art" else row for row in rows_of()]
    _, _, text = reported(tmp_path, rows, calibration=tmp_path / "c.json")
    assert "The calibration holds no question of history: tau = " in text


def test_without_a_calibration_it_is_half_on_the_verbalized_confidence(tmp_path):
    report, _, text = reported(tmp_path, [record(1, "law", 0.5, "A", "B"), record(2, "law", 0.25, "A", "B")])
    assert (report["tau"], report["signal"], report["temperature"]) == (0.5, "verbalized", 1.0)
    assert report["micro_mean"]["cloud_rate"] == 0.5
    assert "calibration" not in report
    assert "As served" not in text
