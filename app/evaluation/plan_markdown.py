"""A plan as Markdown for the terminal, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.core.verdict import Signal
from app.evaluation.cells import interval, percent, table
from app.evaluation.plan import MOST, Need, Plan

_NONE = "none"


def plan_content(plan: Plan, signal: Signal, records: str, about_signal: Sequence[str] = ()) -> dict[str, Any]:
    """The plan as JSON has it.

    Args:
        plan: the plan.
        signal: the signal that it is about.
        records: path of the pilot's records, for the command that the conclusion names.
        about_signal: sentences on how the signal was chosen.
    """
    needs = [{**asdict(need), "error_ci": list(need.error_ci)} for need in plan.needs]
    return {
        "plan": {
            "signal": signal.value,
            "n": plan.n,
            "max_edge_error": plan.max_error,
            "delta": plan.delta,
            "power": plan.power,
            "most": MOST,
            "needs": needs,
        },
        "conclusion": conclusion(plan, signal, records),
        "notes": [*about_signal, *notes(plan)],
    }


def render_plan(plan: Plan, signal: Signal, records: str, about_signal: Sequence[str] = ()) -> str:
    """The plan as a table, with what its numbers mean; the arguments are those of `plan_content`."""
    head = (
        "keep at least (%)",
        "error among kept in the pilot (%)",
        "labelled questions needed",
        "if the true error is at the low end",
        "if it is at the high end",
    )
    return (
        "\n\n".join(
            [
                f"# Plan for an error among kept answers of at most {percent(plan.max_error)} % with probability {1 - plan.delta:g}",
                f"Pilot: n = {plan.n}, signal: {signal.words}.",
                table(head, [_cells(need) for need in plan.needs]),
                f"**{conclusion(plan, signal, records)}**",
                "\n".join(f"- {note}" for note in [*about_signal, *notes(plan)]),
            ]
        )
        + "\n"
    )


def conclusion(plan: Plan, signal: Signal, records: str) -> str:
    """One or two sentences: how many questions to label, or that no number suffices and what may help; arguments as above."""
    cheapest = plan.cheapest
    promise = f"an error of at most {percent(plan.max_error)} %"
    if cheapest is None or cheapest.needed is None:
        least = min(plan.needs, key=lambda need: need.error)
        several = f"the lowest error among kept answers in the pilot is {percent(least.error)} % {interval(least.error_ci)} (n = {least.kept} kept)"
        return (
            f"By this pilot no number of questions up to {MOST:,} promises {promise} on the {signal.words}: {several}. Try another --signal, a larger "
            "--max-edge-error, or another edge model; a larger pilot narrows the interval."
        )
    keeps = f"keeps at least {percent(cheapest.coverage)} % of the answers on the edge"
    if plan.n >= cheapest.needed:
        return (
            f"The pilot itself is large enough to try: with {cheapest.needed:,} questions a promise of {promise} that {keeps} is given in "
            f"{percent(plan.power)} % of the cases. Run: foggate calibrate --records {records} --signal {signal} --max-edge-error {plan.max_error:g} "
            f"--delta {plan.delta:g}"
        )
    return (
        f"Label about {cheapest.needed:,} questions of the kind that will be served: then a promise of {promise} that {keeps} is given in "
        f"{percent(plan.power)} % of the cases, if the error rates are those of the pilot."
    )


def notes(plan: Plan) -> list[str]:
    """What the numbers of a plan mean, one sentence each."""
    return [
        (
            "Labelled questions are all questions with a known answer that are given to foggate calibrate: it chooses the threshold on one half "
            "(a third of the half proposes thresholds, the rest tests the promise) and checks it on the other."
        ),
        (
            f"With the needed number, {percent(plan.power)} of 100 simulated calibrations on questions like those of the pilot give the promise and "
            "keep at least that share of the answers, to within two points; the others keep less or give no promise."
        ),
        (
            "The error in the pilot is that of the most promising threshold that keeps the share, with its exact 95 % interval (Clopper and Pearson "
            f"1934). A pilot of n = {plan.n} leaves it uncertain: the last two columns say what is needed at the ends of this interval."
        ),
        f"{_NONE}: no number up to {MOST:,} suffices, because the error is not far enough below the promised one.",
    ]


def _cells(need: Need) -> Sequence[str]:
    return [
        percent(need.coverage),
        f"{percent(need.error)} {interval(need.error_ci)} (n = {need.kept} kept)",
        *(_NONE if n is None else f"{n:,}" for n in (need.needed, need.needed_low, need.needed_high)),
    ]
