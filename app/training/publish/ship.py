"""A finished chain → a folder to ship: one low-rank adapter, its calibration, its model card."""

import shutil
from pathlib import Path

from app.core.errors import ConfigError
from app.training.chain import BASE, Chain
from app.training.measure import chain_records
from app.training.metrics import metrics_of
from app.training.publish.card import render_card
from app.training.publish.compress import compress, load_served
from app.training.publish.report import BINDING_ROW, measured_rounds
from app.training.publish.results import fit_tau
from app.training.state import round_name


def ship(chain: Chain, out: Path, *, round_number: int | None, agreement: float, max_mb: float, license_name: str | None) -> list[str]:
    """Write the adapter with `calibration.json` and `README.md`.

    The numbers of the card and of the calibration are measured with the adapter as it will be served: read back from its folder.

    Args:
        chain: a run with at least one finished round.
        out: a folder that does not exist yet; it appears when it is whole.
        round_number: number of the round whose checkpoint is shipped; None takes the last promoted one.
        agreement: share of the dev rows whose verdict must stay the same.
        max_mb: largest size of the adapter's weights, in megabytes.
        license_name: licence for the model card.

    Returns:
        Sentences for people about what was written.

    Raises:
        ConfigError: `out` exists, no round was promoted and none is named, or no rank is good enough.
    """
    if out.exists():
        raise ConfigError(f"{out} exists already; choose another --out")
    number = chain.state.promoted if round_number is None else round_number
    if number is None:
        raise ConfigError("no round of this run was promoted: name one with --round")
    # Under its own name from the start, since an adapter's folder is part of what answers call the model.
    scratch = out.parent / (out.name + ".partial") / out.name
    shutil.rmtree(scratch.parent, ignore_errors=True)
    done = compress(chain, scratch, round_number=number, agreement=agreement, max_mb=max_mb)
    config = chain.config
    chain.release()
    loaded = load_served(chain, scratch)
    records = chain_records(chain, loaded.engine(max_prompt_tokens=config.max_prompt_tokens))
    said = fit_tau(chain, records, scratch / "calibration.json").replace(f"{scratch}/", "")
    checkpoint = round_name(number)
    shown = {BASE, BINDING_ROW, round_name(0), checkpoint}
    rows = [(name, metrics) for name, metrics in measured_rounds(chain.out, chain.state) if name in shown]
    rows.append((f"{checkpoint} as shipped", metrics_of(records, checkpoint=loaded.fingerprint, tau=config.tau, seed=config.seed)))
    card = render_card(out.name, chain.state, rows, done, license_name=license_name, calibration=said)
    (scratch / "README.md").write_text(card, encoding="utf-8")
    scratch.replace(out)
    scratch.parent.rmdir()
    dtype = str(loaded.model.dtype).removeprefix("torch.")
    return [
        f"{out} is {checkpoint} at rank {done.rank}, {done.megabytes:.1f} MB: {100 * done.agreement:.1f} % of {done.rows} verdicts stay ({dtype})",
        said,
    ]
