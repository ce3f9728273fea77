"""`foggate calibrate --plan`: how many labelled questions a promise needs, from the records of a pilot. Nothing is written."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.bars import working
from app.cli.output import print_json
from app.core.errors import ConfigError
from app.core.verdict import Signal

if TYPE_CHECKING:
    from app.evaluation.choose_prior import PriorMode


def print_plan(
    records: Path,
    *,
    max_edge_error: float | None,
    delta: float,
    signal: Signal | None,
    keep_fitted: bool,
    letter_prior: "PriorMode",
    seed: int,
    as_json: bool,
    others: list[str],
) -> None:
    """Print a plan.

    Args:
        records: records file of the pilot.
        max_edge_error: the error to promise; None where it was not given.
        delta: probability with which the promise may fail.
        signal: the number that is compared with tau; None and `fitted` choose it as `calibrate` does, on the whole pilot.
        keep_fitted: whether `fitted` is taken although it is not better than the best single signal.
        letter_prior: whether a letter prior is divided out, chosen on the whole pilot too.
        seed: seed of the simulation.
        as_json: whether the plan is printed as JSON.
        others: options that were given and that a plan does not take.

    Raises:
        ConfigError: there is no `--max-edge-error`, or there are other options; the records cannot be used; or the pilot is too small.
    """
    import numpy as np

    from app.cli.markdown import print_markdown
    from app.data.records import load_records
    from app.evaluation.choose_prior import choose_reading
    from app.evaluation.options_covered import left_out, within
    from app.evaluation.plan import plan
    from app.evaluation.plan_markdown import plan_content, render_plan
    from app.evaluation.table import to_table

    if max_edge_error is None:
        raise ConfigError(
            "--plan says how many questions the promise of an edge error needs: give --max-edge-error, as in --max-edge-error 0.2"
        )
    if others:
        raise ConfigError(f"--plan plans one promise of an edge error: leave out {' and '.join(others)}")
    whole = to_table(load_records(records), cloud_needed=False)
    table, fitting = within(whole, np.arange(len(whole)))
    wanted = signal or (Signal.FITTED if keep_fitted else None)
    with working("simulating calibrations"):
        # Cross-fitted values of the whole pilot: a larger one would give a model that is a little better.
        reading = choose_reading(table, fitting, wanted=wanted, keep_fitted=keep_fitted, seed=seed, prior=letter_prior)
        chosen = reading.chosen
        name, pilot = chosen.signal.value, chosen.table.rows(chosen.table.covered)
        found = plan(pilot.signal[name], ~pilot.edge_correct[name], max_error=max_edge_error, delta=delta, seed=seed)
    outside = left_out(chosen.table, "of the pilot", "they are left out of the plan")
    notes = [*reading.notes, *([outside] if outside else [])]
    if as_json:
        print_json(plan_content(found, chosen.signal, shlex.quote(str(records)), notes))
    else:
        print_markdown(render_plan(found, chosen.signal, shlex.quote(str(records)), notes))
