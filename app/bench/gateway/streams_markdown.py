"""The report of `foggate bench streams` → Markdown."""

from collections.abc import Mapping
from typing import Any

from app.bench.machine import described


def render(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    memory, before, after = report["rss_mb"], report["before"], report["after"]
    results = report["results"]
    quarter = len(results) // 4
    cancels = sum(one["cancels"] for one in results)
    lines = [
        f"- the cloud saw {cancels} cancels; {report['hang_ups'] * report['rounds']} callers hung up",
        (
            f"- memory of the gateway: {memory['early']:.1f} MB in rounds {quarter + 1} to {2 * quarter}, {memory['late']:.1f} MB in the last "
            f"{quarter} (medians): {memory['growth']:+.1%}, and {report['tolerance']:.0%} is allowed"
        ),
        f"- open connections to the cloud: {before['cloud_connections']} before, {after['cloud_connections']} after (one is kept for the next call)",
        f"- open files of the gateway: {before['files']} before, {after['files']} after",
    ]
    head = ["round", "whole", "left", "other", "cancels seen by the cloud", "seconds", "RSS MB"]
    table = ["| " + " | ".join(head) + " |", "|" + "---:|" * len(head)]
    for number, one in enumerate(results, 1):
        other = sum(one["failed"].values())
        table.append(
            f"| {number} | {one['whole']} | {one['left']} | {other} | {one['cancels']} | {one['seconds']:.1f} | {one['rss_mb']:.1f} |"
        )
    verdict = "**Nothing stays behind.**" if not report["wrong"] else "**Wrong:**\n\n" + "\n".join(f"- {one}" for one in report["wrong"])
    about = (
        f"{report['streams']} streams at once, of which {report['hang_ups']} callers hang up in the middle, {report['rounds']} rounds; "
        f"a gateway without a model, passing chats through to a mock cloud. {described(report['machine'])}."
    )
    return "\n\n".join(["# Streams through the gateway", about, verdict, "\n".join(lines), "\n".join(table)]) + "\n"
