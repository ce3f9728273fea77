"""Reports side by side, as FogGen compares its checkpoints; paired intervals where the questions are the same."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.core.errors import ConfigError
from app.data.files import read_text
from app.evaluation.paired import paired

OUTCOMES = "outcomes.jsonl"
_MEANS = ("edge_only", "cloud_only", "random", "system", "cloud_rate", "lift", "lift_ci")
_NEEDED = ("tau", "signal", "edge_model", "mean", "micro_mean")
# What `edge_correct` was called before 0.1.
_OLD_KEY = "edge_right"
_NEEDED_OF_A_LINE = ("edge_correct", "cloud_correct", "routed")


def compare(paths: Sequence[Path], *, cloud_rate: float = 0.4, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Two or more `report.json`; the others are compared with the first one.

    Args:
        paths: paths of the reports.
        cloud_rate: cloud rate at which the lifts over random of the reports' signals are compared, whatever share the reports' own tau sends.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap.

    Differences are other - first over the questions that both hold (same id, same fingerprint), all domains together,
    with 95 % intervals of a paired bootstrap. They need `outcomes.jsonl` beside the reports, as `eval report` writes it.

    Raises:
        ConfigError: fewer than two reports, a file that is no report, or outcomes that are damaged or of an earlier version.
    """
    if len(paths) < 2:  # noqa: PLR2004  # a comparison
        raise ConfigError("compare needs at least two reports")
    reports = [_read(path) for path in paths]
    lines = [_outcomes(path) for path in paths]
    rows = [
        {
            "report": str(path),
            "edge_model": report["edge_model"],
            "edge_parameters": report.get("edge_parameters"),
            "tau": report["tau"],
            "signal": report["signal"],
            "n": report["mean"]["n"],
            # What needs the cloud is absent from a report of records without one.
            **{key: report["mean"][key] for key in _MEANS if key in report["mean"]},
        }
        for path, report in zip(paths, reports, strict=True)
    ]
    for row, other in zip(rows[1:], lines[1:], strict=True):
        row["against_first"] = paired(lines[0], other, cloud_rate=cloud_rate, resamples=resamples, seed=seed)
    return {"reports": rows, "cloud_rate": cloud_rate, "resamples": resamples, "seed": seed}


def _read(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(read_text(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path} is not JSON") from None
    if not isinstance(report, dict) or any(key not in report for key in _NEEDED):
        raise ConfigError(f"{path} is not a report of 'foggate eval report'")
    return report


def _outcomes(path: Path) -> dict[tuple[str, str | None], dict[str, Any]]:
    """The outcomes beside a report, by id and fingerprint of the question; empty where the file does not exist."""
    beside = path.with_name(OUTCOMES)
    if not beside.exists():
        return {}
    try:
        rows = [json.loads(line) for line in read_text(beside).split("\n") if line.strip()]
        found = {(row["id"], row["fingerprint"]): row for row in rows}
        whole = all(key in row for row in rows for key in _NEEDED_OF_A_LINE)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{beside} is damaged; make the report again") from None
    if any(_OLD_KEY in row for row in rows):
        raise ConfigError(f"{beside} was written by an earlier version of FogGate (it holds '{_OLD_KEY}'); make the report again")
    if not whole:
        raise ConfigError(f"{beside} is damaged; make the report again")
    return found
