"""The results of a chain: the promoted checkpoint as a folder to serve, its calibration, and the report."""

import datetime as dt
import shutil
from collections.abc import Sequence
from pathlib import Path

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.calibration import write_calibration
from app.data.records import Record
from app.data.target import Target
from app.edge.fingerprint import fingerprint
from app.edge.foggen import mark
from app.evaluation.calibrate import calibrate
from app.evaluation.collect import EdgeIdentity
from app.training.chain import Chain
from app.training.lora import as_os_error
from app.training.measure import chain_records
from app.training.publish.report import draw_chain, render_chain
from app.training.state import round_name

MODEL = "model"


def write_results(chain: Chain) -> list[str]:
    """Write `model/` (merged, in the dtype that was computed in), `calibration.json`, `report.md` and the pictures.

    The model is the last promoted checkpoint; where none was promoted there is no `model/`.

    Args:
        chain: a run with at least one finished round.

    Returns:
        Sentences for people about what was written.

    Raises:
        ConfigError: the metrics of a round are missing or damaged.
        OSError: a file cannot be written.
    """
    said = []
    promoted = chain.state.promoted
    shutil.rmtree(chain.out / MODEL, ignore_errors=True)
    if promoted is not None:
        chain.go_to(promoted)
        _write_model(chain)
        folder = chain.out / MODEL
        records = chain_records(
            chain, identity=EdgeIdentity(folder.name, fingerprint(str(folder), None), prompt_fingerprint=chain.engine.prompt_fingerprint)
        )
        said += [f"{folder} is the checkpoint of {round_name(promoted)}", fit_tau(chain, records, chain.out / "calibration.json")]
    else:
        # A run whose rounds are decided again may have one.
        (chain.out / "calibration.json").unlink(missing_ok=True)
        said.append("no round passed the gate: there is no model to serve")
    (chain.out / "report.md").write_text(render_chain(chain.out, chain.state), encoding="utf-8")
    try:
        draw_chain(chain.out, chain.state)
    except ModuleNotFoundError as error:
        said.append(f"no pictures ({error.name} is not installed: pip install 'foggate[eval]')")
    return said


def _write_model(chain: Chain) -> None:
    scratch = chain.out / (MODEL + ".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    loaded = chain.checkpoint.loaded
    with as_os_error():
        loaded.model.save_pretrained(str(scratch))
        mark(scratch)
    loaded.tokenizer.save_pretrained(str(scratch))
    scratch.replace(chain.out / MODEL)


def fit_tau(chain: Chain, records: Sequence[Record], path: Path) -> str:
    """Write a calibration that is fitted on the dev rows; few as they are, it is better than the tau of another checkpoint.

    Args:
        chain: the run; its config holds the cloud rate to reach.
        records: records of the dev rows, under the name of the model that is served.
        path: the calibration file; it is removed where the rows allow no calibration.

    Returns:
        A sentence for people about the calibration, or why there is none.
    """
    rate = chain.config.gate.target_cloud_rate
    today = dt.datetime.now(tz=dt.UTC).date()
    try:
        fit = calibrate(
            records, target=Target(kind="cloud_rate", value=rate), signal=Signal.EXPECTED, seed=chain.config.seed, today=today
        ).calibration
    except ConfigError as error:
        path.unlink(missing_ok=True)
        return f"no calibration: {error.message}"
    write_calibration(path, fit)
    return f"{path} sets tau = {fit.tau:.4g} for a cloud rate of {100 * rate:.0f} % (n = {fit.n_fit} + {fit.n_test}). {fit.recommendation}"
