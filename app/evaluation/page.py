"""The page of `foggate tune`: one HTML file with everything in it, readable without a network and without scripts.

It shows the curve and the chosen point, the numbers with n and intervals, and what to run next. Every number is measured on the half of
the questions that had no part in choosing the thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from app.data.calibration import Achieved, Calibration
from app.evaluation import statistics as st
from app.evaluation.cells import NONE, interval, percent, share, signed
from app.evaluation.page_style import STYLE
from app.evaluation.risk import share_interval
from app.evaluation.svg import curve_svg
from app.evaluation.table import Table
from app.evaluation.tau_steps import tau_steps
from app.evaluation.tuning_curve import Curve, curve_of

# Cloud rates whose thresholds the page compares with the chosen one.
_RATES = tuple(step / 10 for step in range(10))
_TARGETS = {
    "cloud_rate": "a cloud rate of {} %",
    "accuracy": "an accuracy of at least {} %",
    "edge_error": "an error among kept answers of at most {} %",
}


@dataclass(frozen=True, slots=True)
class Tuned:
    """What `foggate tune` has found.

    Attributes:
        calibration: the calibration that the gateway will serve with.
        test: the questions that check it, with the signals as it serves them.
        why: why its target is this one.
        notes: sentences that a reader must know.
        commands: what to run next: what it does, and the command.
        files: the files beside the page: name, and what it holds.
        hardware: hardware of the edge while the answers were collected.
    """

    calibration: Calibration
    test: Table
    why: str
    notes: Sequence[str]
    commands: Sequence[tuple[str, str]]
    files: Sequence[tuple[str, str]]
    hardware: Sequence[str]


def headline(calibration: Calibration) -> str:
    """The choice in one sentence, with its numbers on the half that checks it."""
    found = calibration.achieved
    where = f"tau = {calibration.tau:.4g} on the {calibration.signal.words}"
    if calibration.domains:
        where = f"{where}, with thresholds of their own for {len(calibration.domains)} domains"
    said = f"{where} sends {_with_sign(found.cloud_rate, found.cloud_rate_ci)} of the questions to the cloud (n = {found.n})"
    if found.accuracy is not None:
        of = "" if found.n_cloud is None else f" (n = {found.n_cloud})"
        return f"{said}; edge and cloud together answer {_with_sign(found.accuracy, found.accuracy_ci)} correctly{of}."
    if found.edge_error is None:
        return f"{said}; the edge keeps no answer."
    return f"{said}; of the {found.kept} answers that the edge keeps {_with_sign(found.edge_error, found.edge_error_ci)} are wrong."


def target_of(calibration: Calibration) -> str:
    """The target in words, and whether the half that checks it shows it."""
    target = calibration.target
    promised = f" with probability {1 - target.delta:g}" if target.delta else ""
    return f"Target: {_TARGETS[target.kind].format(percent(target.value))}{promised}; on the questions that check it: {calibration.achieved.held}."


def render_page(tuned: Tuned) -> str:
    """The whole page."""
    found = tuned.calibration
    curve = curve_of(tuned.test, found.signal, found.achieved, seed=found.seed)
    edge = found.edge_model + (f" + {found.edge_adapter}" if found.edge_adapter else "")
    cloud = ", ".join(found.cloud_model) or "no cloud"
    body = [
        f"<h1>{escape(edge)} and {escape(cloud)}, tuned</h1>",
        f"<p>{escape(headline(found))}</p>",
        _tiles(found.achieved, tuned.test, found.signal.value),
        f'<p class="finding">{escape(found.recommendation)}</p>',
        f"<p>{escape(tuned.why)} {escape(target_of(found))}</p>",
        "<h2>The curve</h2>",
        _figure(curve),
        "<h2>What other thresholds buy</h2>",
        _steps(tuned),
        *_domains(found),
        "<h2>What to run next</h2>",
        *(f"<p>{escape(what)}</p><pre><code>{escape(command)}</code></pre>" for what, command in tuned.commands),
        *(["<h2>To know</h2>", _list(tuned.notes)] if tuned.notes else []),
        "<h2>Where the numbers come from</h2>",
        _list(_origin(tuned)),
        *(["<h2>Files</h2>", _list([f"{name}: {what}" for name, what in tuned.files])] if tuned.files else []),
    ]
    # The policy forbids the page to load anything and to run anything.
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>FogGate: {escape(edge)} tuned</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _tiles(found: Achieved, test: Table, signal: str) -> str:
    tiles: list[tuple[str, float | None, Sequence[float] | None, int]]
    tiles = [("go to the cloud", found.cloud_rate, found.cloud_rate_ci, found.n)]
    both = test.with_cloud()
    if len(both):
        n = len(both)
        edge, cloud = int(both.edge_correct[signal].sum()), int(both.cloud_correct.sum())
        tiles = [
            ("accuracy, edge and cloud together", found.accuracy, found.accuracy_ci, n),
            *tiles,
            ("accuracy of the cloud alone", cloud / n, share_interval(cloud, n), n),
            ("accuracy of the edge alone", edge / n, share_interval(edge, n), n),
        ]
    else:
        edge = int(test.edge_correct[signal].sum())
        tiles.append(("accuracy of the edge alone", edge / len(test), share_interval(edge, len(test)), len(test)))
    tiles.append(("of the kept answers are wrong", found.edge_error, found.edge_error_ci, found.kept))
    shown = [(f"{percent(value)} %" if value is not None else NONE, what, ci, n) for what, value, ci, n in tiles]
    lines = [f"<li><b>{value}</b><span>{what}</span><span>{interval(ci)}, n = {n}</span></li>" for value, what, ci, n in shown]
    if found.lift is not None:
        n = found.n if found.n_cloud is None else found.n_cloud
        lines.append(
            f"<li><b>{100 * found.lift:+.1f}</b><span>points over random routing</span><span>{_points(found)}, n = {n}</span></li>"
        )
    return '<ul class="tiles">' + "".join(lines) + "</ul>"


def _points(found: Achieved) -> str:
    return signed(found.lift, found.lift_ci).partition(" ")[2] or NONE


def _figure(curve: Curve) -> str:
    together = curve.random is not None
    keys = [("k-curve", f"accuracy of {curve.what}, n = {curve.n}"), ("k-band", f"95 % intervals ({'bootstrap' if together else 'exact'})")]
    keys += [("k-random", "random routing, from the edge alone to the cloud alone")] if together else []
    keys += [("k-chosen", "the chosen threshold, with its intervals")] if curve.chosen is not None else []
    legend = "".join(f'<li><i class="{key}"></i>{escape(text)}</li>' for key, text in keys)
    every = max(1, (len(curve.points) - 1) // 10)
    rows = [[percent(point.cloud_rate), share(point.accuracy, point.ci)] for point in curve.points[::every]]
    table = _table("The curve in numbers", ("to the cloud (%)", "accuracy (%)"), rows)
    return (
        f'<figure style="margin:0"><div class="wide">{curve_svg(curve)}</div><ul class="legend">{legend}</ul></figure>'
        f"<details><summary>The curve as a table</summary>{table}</details>"
    )


def _steps(tuned: Tuned) -> str:
    found = tuned.calibration
    values = np.sort(tuned.test.signal[found.signal.value])
    # The threshold that sends about this share to the cloud: the value that so many others lie below. Some may go there at every threshold.
    taus = {float(value) for rate in _RATES if np.isfinite(value := values[int(rate * len(values))])}
    rows = []
    for step in tau_steps(tuned.test, found.signal, [*taus, *(() if found.domains else (min(found.tau, 1.0),))]):
        own = not found.domains and step["tau"] == found.tau
        row = [
            f"{step['tau']:.4g}" + (" (chosen)" if own else ""),
            percent(1 - step["kept_share"]),
            share(step["kept_share"], step["kept_share_ci"]),
        ]
        row += [
            share(step["kept_correct"], step["kept_correct_ci"]),
            *([share(step["system"], step["system_ci"])] if "system" in step else []),
        ]
        rows.append((row, own))
    system = ("system accuracy (%)",) if tuned.test.cloud_known.any() else ()
    head = (f"tau on the {found.signal.words}", "to the cloud (%)", "kept (%)", "correct among kept (%)", *system)
    n = len(tuned.test)
    known = int(tuned.test.cloud_known.sum())
    of = f"; system accuracy on the {known} with a cloud answer" if 0 < known < n else ""
    return _table(
        f"One threshold for every question, n = {n}{of}; exact 95 % intervals", head, [row for row, _ in rows], [own for _, own in rows]
    )


def _domains(found: Calibration) -> list[str]:
    if not found.domains:
        return []
    rows = [_domain(name, own.tau, own.achieved) for name, own in found.domains.items()]
    rows.append(_domain("all others", found.tau, found.achieved_shared))
    head = ("domain", "tau", "n", "to the cloud (%)", "wrong among kept (%)", "system accuracy (%)", "target")
    return ["<h2>Thresholds of the domains</h2>", _table("On the half that checks them; exact 95 % intervals", head, rows)]


def _domain(name: str, tau: float, found: Achieved | None) -> list[str]:
    if found is None:
        return [name, f"{tau:.4g}", "0", *[NONE] * 4]
    rate, error = share(found.cloud_rate, found.cloud_rate_ci), share(found.edge_error, found.edge_error_ci)
    return [name, f"{tau:.4g}", str(found.n), rate, error, share(found.accuracy, found.accuracy_ci), found.held]


def _origin(tuned: Tuned) -> list[str]:
    found = tuned.calibration
    judging = tuned.test.rows(tuned.test.covered)
    signal, correct = judging.signal[found.signal.value], judging.edge_correct[found.signal.value]
    auroc = st.auroc(signal, correct)
    ci = st.auroc_interval(correct, st.bootstrap_auroc(signal, correct, resamples=1000, seed=found.seed))
    measured = "not defined" if auroc is None else f"{auroc:.3f}" + (f" [{ci[0]:.3f}, {ci[1]:.3f}]" if ci else "")
    said = [
        f"{found.n_fit} questions chose the threshold, and {found.n_test} others, on which everything above is measured, check it (seed {found.seed}).",
        f"AUROC of the {found.signal.words} on the questions that check it: {measured} (0.5 separates nothing, 1 is perfect).",
        f"Data {found.data_fingerprint}, prompt {found.prompt_version}, {found.created}.",
    ]
    return [*said, *([f"Edge hardware while the answers were collected: {'; '.join(tuned.hardware)}."] if tuned.hardware else [])]


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[Any] = ()) -> str:
    columns = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = []
    for number, row in enumerate(rows):
        here = ' class="here"' if marked and marked[number] else ""
        lines.append(f"<tr{here}>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>")
    return f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>{columns}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _with_sign(value: float, ci: Sequence[float] | None) -> str:
    return f"{percent(value)} %" + (f" {interval(ci)}" if ci else "")
