"""From records to a configuration and a page, without a model: with the fitted probability where it wins."""

import re

from app.cli.tune_run import Tuning, conclude
from app.config.loading import load_settings
from app.config.settings import Settings
from app.core.verdict import Signal
from app.data.calibration import read_calibration
from app.evaluation.tuning import Wanted
from tests.support import kinds
from tests.support.populations import drawn
from tests.support.records import write


def test_the_page_of_the_fitted_probability_shows_questions_that_had_no_part_in_fitting_it(tmp_path):
    write(tmp_path / "records.jsonl", kinds.sample(800, drawn(1)))
    run = Tuning(Settings(), tmp_path, Wanted(cloud_rate=0.4), None, 100, 0, False, "foggate tune --data mine.jsonl")
    tuned, said = conclude(run, ["One question failed."])
    found = read_calibration(tmp_path / "calibration.json")
    assert (found.signal, said["signal"], said["tau"]) == (Signal.FITTED, "fitted", found.tau)
    assert said["notes"][0] == "One question failed."
    assert len(tuned.test) == found.n_test == 400
    # The routed share of the page's questions is the one of the calibration, so they are the same questions with the same signal.
    assert float((tuned.test.signal["fitted"] < found.tau).mean()) == found.achieved.cloud_rate
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    auroc = re.search(r"AUROC of the fitted probability on the questions that check it: ([\d.]+)", page)
    assert auroc is not None
    assert auroc[1] == f"{found.fitted.auroc:.3f}"
    assert f"tau = {found.tau:.4g} on the fitted probability" in page
    assert load_settings(tmp_path / "gateway.yaml").policy.calibration == tmp_path / "calibration.json"
