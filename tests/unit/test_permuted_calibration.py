"""A calibration with the rule of reading again: what it promises holds with that rule, and no gateway serves it with another one."""

import numpy as np
import pytest

from app.config.settings import Settings
from app.core.edge import Identity
from app.core.errors import ConfigError
from app.core.permutation import Permutation
from app.core.prompt import PROMPT_VERSION
from app.core.verdict import JointVerdict, Signal
from app.data.calibration import Calibration, read_calibration, write_calibration
from app.data.records import load_records
from app.data.target import Target
from app.evaluation.calibrate import calibrate
from app.evaluation.calibrated import served_table
from app.evaluation.permuted import reread
from app.evaluation.report import build_report
from app.evaluation.table import to_table
from app.gateway.build import build_policy, calibration_of
from tests.support.populations import TODAY
from tests.support.records import record, write

IDENTITY = Identity("edge", "f", None, JointVerdict.signals)


def population(n, seed, reads=2):
    """Questions whose first read is noisy; the mean of the orders knows more, and names another option where the first read is a guess."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        chance = draw.beta(2, 2)
        letter = "A" if draw.random() < chance else "B"
        row = record(str(number), "law", 0.5, letter, "A", marginal=letter)
        shares = [float(np.clip(chance + noise, 0.26, 0.97)) for noise in (draw.normal(0, 0.15), draw.normal(0, 0.08))]
        first, mean = ({x: share if x == letter else (1 - share) / 3 for x in "ABCD"} for share in shares)
        if draw.random() < (1 - chance) / 3:
            mean = {x: mean[y] for x, y in zip("ABCD", "BCDA", strict=True)}
        kept = {key: row[key] for key in ("edge_answer", "confidence", "expected_confidence", "confidence_probabilities")}
        more = {"permuted": {"reads": reads, **kept, "answer_probabilities": mean}} if reads > 1 else {}
        rows.append(
            {**row, "edge_model": "edge", "edge_fingerprint": "f", "prompt_version": PROMPT_VERSION, "answer_probabilities": first, **more}
        )
    return rows


def calibrated(rows, band, **target):
    chosen = Target.model_validate(target or {"kind": "edge_error", "value": 0.3, "delta": 0.1})
    return calibrate(rows, target=chosen, signal=Signal.TOP_PROBABILITY, permutation_band=band, today=TODAY, resamples=50, with_curve=False)


def test_a_promised_edge_error_holds_with_the_rule_and_more_answers_are_kept():
    broken, kept = 0, dict.fromkeys((None, 0.2), 0.0)
    fresh = population(3000, seed=999)
    runs = 20
    for seed in range(runs):
        rows = population(400, seed)
        for band in kept:
            try:
                found = calibrated(rows, band).calibration
            except ConfigError:
                continue
            table = served_table(fresh, found)
            stays = table.signal["top_probability"] >= found.tau
            kept[band] += float(stays.mean()) / runs
            if band is not None:
                broken += float((~table.edge_correct["top_probability"][stays]).mean()) > 0.3
    # Delta is 0.1; 6 of 20 or more would have a probability of 1.1 %.
    assert broken <= 5
    assert kept[0.2] > kept[None]


def test_the_file_holds_the_rule_and_what_it_costs(tmp_path):
    rows = population(200, seed=1)
    found = calibrated(rows, 0.2, kind="cloud_rate", value=0.4).calibration
    assert found.permutation.rule() == Permutation(2, 0.2)
    order = np.random.default_rng(0).permutation(200)[100:]
    first = np.array([max(rows[place]["answer_probabilities"].values()) for place in order])
    assert found.permutation.reread_share == pytest.approx(np.mean((first < found.tau) & (first >= found.tau - 0.2)))
    assert found.achieved.cloud_rate == pytest.approx(0.4, abs=0.12)
    path = tmp_path / "calibration.json"
    write_calibration(path, found)
    assert read_calibration(path) == found
    assert Calibration.model_validate({**found.model_dump(mode="json"), "permutation": None}).permutation is None


def test_a_gateway_with_another_rule_does_not_start():
    found = calibrated(population(100, seed=1), 0.2, kind="cloud_rate", value=0.4).calibration
    plain = calibrated(population(100, seed=1, reads=1), None, kind="cloud_rate", value=0.4).calibration
    settings = {reads: Settings(edge={"permute": reads, "model": "edge"}, policy={"calibration": "c.json"}) for reads in (1, 2, 3)}
    for reads, calibration, why in [
        (1, found, "edge.permute is 1, and the calibration was made with 2"),
        (3, found, "made with 2"),
        (2, plain, "edge.permute is 2, and the calibration was made with 1"),
    ]:
        with pytest.raises(ConfigError, match=why):
            calibration_of(settings[reads], calibration, IDENTITY)
    with pytest.raises(ConfigError, match="no calibration is in force"):
        calibration_of(Settings(edge={"permute": 2, "model": "edge"}), None, IDENTITY)
    assert build_policy(settings[2], calibration_of(settings[2], found, IDENTITY), IDENTITY).permutation == Permutation(2, 0.2)
    assert build_policy(settings[1], calibration_of(settings[1], plain, IDENTITY), IDENTITY).permutation is None


def test_records_without_the_orders_and_signals_without_a_mean_are_refused():
    with pytest.raises(ConfigError, match=r"edge\.permute"):
        calibrated(population(100, seed=1, reads=1), 0.2)
    with pytest.raises(ConfigError, match="same number of orders"):
        calibrated([*population(60, seed=1), *({**row, "id": f"x{row['id']}"} for row in population(60, seed=2, reads=3))], 0.2)
    target = Target.model_validate({"kind": "cloud_rate", "value": 0.4, "delta": None})
    with pytest.raises(ConfigError, match="another --signal"):
        calibrate(population(100, seed=1), target=target, signal=Signal.VERBALIZED, permutation_band=0.2, today=TODAY)


def test_fitted_is_read_again_by_the_same_model():
    rows = population(300, seed=3)
    target = Target.model_validate({"kind": "cloud_rate", "value": 0.4, "delta": None})
    found = calibrate(rows, target=target, keep_fitted=True, permutation_band=0.1, today=TODAY, resamples=50).calibration
    assert found.signal is Signal.FITTED
    table = to_table(rows, cloud_needed=False, fitted=found.logistic)
    again = reread(table, found.permutation.rule(), [Signal.FITTED], fitted=found.logistic)
    difference = again.signal["fitted"] - table.signal["fitted"]
    assert difference.min() >= 0
    assert 0 < difference.max() <= 0.1 + 1e-12


def test_the_report_of_a_calibration_serves_its_rule(tmp_path):
    rows = population(200, seed=5)
    found = calibrated(rows, 0.2, kind="cloud_rate", value=0.4).calibration
    loaded = load_records(write(tmp_path / "r.jsonl", rows))
    told = build_report(loaded, tau=found.tau, signal=found.signal, calibration=found, resamples=50)
    plain = to_table(rows, cloud_needed=False)
    assert told["edge"]["all"]["kept"] == int((served_table(rows, found).signal["top_probability"] >= found.tau).sum())
    assert told["edge"]["all"]["kept"] > int((plain.signal["top_probability"] >= found.tau).sum())
    with pytest.raises(ConfigError, match=r"edge\.permute"):
        build_report(population(50, seed=5, reads=1), tau=found.tau, signal=found.signal, calibration=found)
