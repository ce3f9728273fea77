"""`foggate calibrate --plan`: how many labelled questions a promise needs, from the records of a pilot. Nothing is written."""

import shlex
from pathlib import Path

from app.cli.bars import working
from app.cli.output import print_json
from app.core.errors import ConfigError
from app.core.verdict import Signal


def print_plan(
    records: Path, *, max_edge_error: float | None, delta: float, signal: Signal | None, seed: int, as_json: bool, others: list[str]
) -> None:
    """Print a plan.

    Args:
        records: records file of the pilot.
        max_edge_error: the error to promise; None where it was not given.
        delta: probability with which the promise may fail.
        signal: the number that is compared with tau; None, and `fitted`, leave the choice as `foggate calibrate` does.
        seed: seed of the simulation.
        as_json: whether the plan is printed as JSON.
        others: options that were given and that a plan does not take.

    Raises:
        ConfigError: there is no `--max-edge-error`, or there are other options; the records cannot be used; or the pilot is too small.
    """
    import numpy as np

    from app.cli.markdown import print_markdown
    from app.data.records import load_records
    from app.evaluation.choose_signal import choose_signal
    from app.evaluation.plan import plan
    from app.evaluation.plan_markdown import plan_content, render_plan
    from app.evaluation.table import to_table

    if max_edge_error is None:
        raise ConfigError(
            "--plan says how many questions the promise of an edge error needs: give --max-edge-error, as in --max-edge-error 0.2"
        )
    if others:
        raise ConfigError(f"--plan plans one promise of an edge error: leave out {' and '.join(others)}")
    pilot = to_table(load_records(records), cloud_needed=False)
    # What a model gives for the questions that it was fitted on is cross-fitted.
    chosen = choose_signal(pilot, np.arange(len(pilot)), wanted=signal, keep_fitted=False, seed=seed)
    name, table = chosen.signal.value, chosen.table
    with working("simulating calibrations"):
        found = plan(table.signal[name], ~table.edge_correct[name], max_error=max_edge_error, delta=delta, seed=seed)
    if as_json:
        print_json(plan_content(found, chosen.signal, shlex.quote(str(records)), chosen.notes))
    else:
        print_markdown(render_plan(found, chosen.signal, shlex.quote(str(records)), chosen.notes))
