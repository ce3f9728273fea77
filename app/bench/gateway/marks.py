"""Marks on rows of the report whose numbers are not those of the server alone, and notes that say what they mean."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.bench.gateway.summary import LIMIT_SHARE, NOT_TO_THE_CLOUD

# From this share on a row says that the machine was busy.
STARVED_SHARE = 0.1
# So far from one call a reply may be a caller that hung up; beyond it something answered in the cloud's place, or asked again.
_CALLS_OFF = 0.01


def marks_of(row: Mapping[str, Any]) -> str:
    """The marks behind the name of a way."""
    return ("†" if row["limited"] else "") + ("‡" if _is_starved(row) else "")


def mark_notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the marks mean that are there."""
    notes = []
    if any(row["limited"] for row in rows):
        notes.append(f"†: the client and the mock cloud used more than {LIMIT_SHARE:.0%} of a core and may be what limits the row")
    if any(_is_starved(row) for row in rows):
        notes.append(f"‡: the server was ready to run and had no core for more than {STARVED_SHARE:.0%} of the time: the machine was busy")
    return notes


def calls_notes(rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> list[str]:
    """Which ways did not ask the mock cloud once for each reply; reports of earlier versions do not say it."""
    counted = [row for row in rows if row.get("cloud_calls") is not None]
    unlike = [row for row in counted if abs(row["cloud_calls"] - (0 if row["way"] in NOT_TO_THE_CLOUD else 1)) > _CALLS_OFF]
    return [
        f"{labels[row['way']]}, {row['connections']} connections: the mock cloud was asked {row['cloud_calls']:.2f} times for each reply"
        for row in unlike
    ]


def _is_starved(row: Mapping[str, Any]) -> bool:
    return (row["starved_share"] or 0) > STARVED_SHARE
