"""Sentences that a reader of a report must know before its numbers: what is missing, and why."""

from collections.abc import Sequence

from app.data.records import Record
from app.evaluation import statistics as st
from app.evaluation.cells import questions, spelt
from app.evaluation.table import Table


def notes(records: Sequence[Record], table: Table, routed: st.Flags) -> list[str]:
    """Sentences about a report.

    Args:
        records: all records.
        table: the records with an edge answer.
        routed: `[n]`, which questions of the table go to the cloud.
    """
    return [*_missing_edge(records, table), *_missing_cloud(table), *_all_or_none(table, routed), *_degenerate(table)]


def _missing_edge(records: Sequence[Record], table: Table) -> list[str]:
    failed = len(records) - len(table)
    if not failed:
        return []
    gone = sorted({str(record["domain"]) for record in records} - set(table.domains))
    named = f" No question is left of the domain{_s(gone)} {', '.join(gone)}." if gone else ""
    return [f"{failed} of {len(records)} questions have no edge answer and are left out.{named}"]


def _missing_cloud(table: Table) -> list[str]:
    known, n = int(table.cloud_known.sum()), len(table)
    if known == n:
        return []
    if not known:
        return [
            (
                "No question has a cloud answer, so everything that needs one is left out: the accuracy of the cloud and of the system, the lift "
                "over random, the gap recovered, and the cloud's tokens and cost. `foggate eval collect` with a cloud and the same --out adds "
                "the answers."
            )
        ]
    gone = [name for name in table.domains if not table.of(name).cloud_known.any()]
    named = (
        f" No question of {', '.join(gone)} has one: the means over domains leave {'them' if len(gone) > 1 else 'it'} out." if gone else ""
    )
    return [
        (
            f"{n - known} of {n} questions have no cloud answer. The numbers of routing are computed on the other {known}, which may differ from them; "
            f"those of the edge are computed on all {n}.{named}"
        )
    ]


def _all_or_none(table: Table, routed: st.Flags) -> list[str]:
    """Domains of which tau routes everything or nothing. With the cloud's answers the recommendation says this about all questions together."""
    whole = [name for name in table.domains if routed[table.domain == name].all()]
    none = [name for name in table.domains if not routed[table.domain == name].any()]
    said = []
    for names, everything, some in (
        (
            whole,
            "Everything is routed: no signal reaches tau, and of {n} the edge keeps none.",
            "Everything of {names} is routed.",
        ),
        (none, "Nothing is routed: every signal reaches tau, and of {n} the edge keeps all.", "Nothing of {names} is routed."),
    ):
        if len(names) == len(table.domains):
            said += [everything.format(n=questions(len(table)))] if not table.cloud_known.any() else []
        elif names:
            said.append(some.format(names=", ".join(names)))
    return said


def _degenerate(table: Table) -> list[str]:
    said = []
    for which, alike in (
        ("correct", [name for name, correct in table.edge_correct.items() if correct.all()]),
        ("wrong", [name for name, correct in table.edge_correct.items() if not correct.any()]),
    ):
        if alike:
            said.append(
                f"Every edge answer by {', '.join(map(spelt, alike))} is {which} (n = {len(table)}): an AUROC compares correct answers with wrong ones, so it "
                "is not defined there."
            )
    single = [name for name in table.domains if len(table.of(name)) == 1]
    if len(table) == 1:
        said.append("There is one question only, so no interval can be given.")
    elif single:
        said.append(
            f"There is one question only of {', '.join(single)}: no interval is given for such a domain, nor for means over domains that include one."
        )
    return said


def _s(names: Sequence[str]) -> str:
    return "s" if len(names) > 1 else ""
