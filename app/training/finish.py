"""What a chain is good for when it is done: the promoted checkpoint as a folder to serve, its tau, and the report."""

import datetime as dt
import shutil
from collections.abc import Sequence
from pathlib import Path

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.calibration import Target, write_calibration
from app.data.records import Record
from app.edge.loader import fingerprint
from app.evaluation.calibrate import calibrate
from app.evaluation.collect import EdgeIdentity
from app.training.chain import Chain
from app.training.chain_report import draw_chain, render_chain
from app.training.sft import as_os_error
from app.training.steps import measured

MODEL = "model"


def finish(chain: Chain) -> list[str]:
    """Write `model/` (merged, in the dtype that was computed in), `calibration.json`, `report.md` and pictures; returns sentences for people.

    The model is the last promoted checkpoint; where none was promoted there is no `model/`, and that is said.
    """
    said = []
    promoted = chain.promoted
    shutil.rmtree(chain.out / MODEL, ignore_errors=True)
    if promoted is not None:
        chain.go_to(promoted)
        _write_model(chain)
        folder = chain.out / MODEL
        records = measured(
            chain, identity=EdgeIdentity(folder.name, fingerprint(str(folder), None), prompt_fingerprint=chain.engine.prompt_fingerprint)
        )
        said += [f"{folder} is the checkpoint of R{promoted:02d}", fit_tau(chain, records, chain.out / "calibration.json")]
    else:
        # Of a run that is judged again there may be one.
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
    loaded.tokenizer.save_pretrained(str(scratch))
    scratch.replace(chain.out / MODEL)


def fit_tau(chain: Chain, records: Sequence[Record], path: Path) -> str:
    """A calibration on the dev rows; small as they are, better than a tau of another checkpoint. Returns a sentence for people."""
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
