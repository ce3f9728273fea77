"""`report.json` → `report.md`: tables, links to the pictures beside it, and a line on every term."""

from collections.abc import Collection, Mapping
from typing import Any

from app.core.verdict import Signal
from app.evaluation import sections
from app.evaluation.terms import terms

_PICTURES = {
    "routing": "Accuracy against the share of questions sent to the cloud",
    "domains": "Accuracy by domain",
    "reliability": "Accuracy of the answers at each value of the signals",
    "risk_coverage": "Error rate among the answers with the highest signals",
    "buckets": "How often each confidence is verbalized",
}


def render(report: Mapping[str, Any], *, pictures: Collection[str] = (), reference: bool = False) -> str:
    """The report as Markdown.

    Args:
        report: report of `build_report`.
        pictures: names of the pictures that exist beside it as PNG; only these are linked.
        reference: whether to show FogGen's published numbers too.
    """

    def shown(*names: str) -> list[str]:
        return [f"![{_PICTURES[name]}]({name}.png)" for name in names if name in pictures]

    cloud = bool(report["n_cloud"])
    routing = ["## Edge and cloud together", *sections.routing(report), *shown("routing")] if cloud else []
    parts = [
        f"# Edge {report['edge_model']}, " + (f"cloud {', '.join(report['cloud_model']) or 'not named'}" if cloud else "no cloud"),
        _about(report),
        f"**{report['recommendation']}**",
        *(["\n".join(f"- {note}" for note in report["notes"])] if report["notes"] else []),
        "## The edge alone",
        *sections.edge_alone(report),
        *shown("domains"),
        *routing,
        "## What a threshold buys",
        *sections.tau_steps(report),
        "## Quality of the signals",
        *sections.signals(report),
        *(["\n".join(f"- {other['sentence']}" for other in others.values())] if (others := report.get("other_signals")) else []),
        *shown("reliability"),
        *sections.risks(report),
        *shown("risk_coverage"),
        *sections.buckets_and_options(report),
        *shown("buckets"),
        *sections.protocols(report["protocols"]),
        *sections.order_check(report.get("order_check")),
        *sections.costs(report),
        *(sections.published() if reference else []),
        "## Terms",
        terms(
            cloud=cloud,
            left_out=[
                *(() if report.get("order_check") else ("order-flip rate",)),
                *(() if Signal.FITTED.value in report["signals"] else ("fitted",)),
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _about(report: Mapping[str, Any]) -> str:
    served = _served(report["calibration"]) if "calibration" in report else ""
    own = ", and the thresholds of the table for their domains" if report.get("thresholds") else ""
    at = f", at temperature {report['temperature']:g}" if report["temperature"] != 1 else ""
    if 0 < report["n_cloud"] < report["n_edge"]:
        n = f"n = {report['n_edge']}, of which {report['n_cloud']} with a cloud answer"
    else:
        n = f"n = {report['n']}" + (f" ({report['left_out']} of the records left out, see below)" if report["left_out"] else "")
    unread = (
        f" {report['cloud_unparsable']} cloud replies could not be read as an option and count as wrong."
        if report["cloud_unparsable"]
        else ""
    )
    return (
        f"{served}tau = {report['tau']:.6g} on the {Signal(report['signal']).words}{at}{own}; {n}; data {report['data_fingerprint']}, prompt "
        f"{', '.join(report['prompt_version'])}.{unread} Intervals: 95 %, paired bootstrap within domains, {report['resamples']} "
        f"resamples, seed {report['seed']}."
    )


def _served(calibration: Mapping[str, Any]) -> str:
    target = calibration["target"]
    promised = f" with probability {1 - target['delta']:g}" if target["delta"] else ""
    return f"As a gateway serves with the calibration of {calibration['created']} (target: {target['kind'].replace('_', ' ')} {target['value']:g}{promised}): "
