"""The one-pass verdict beside free generation (FogGen's published protocol), on the questions that were asked both ways."""

from typing import Any

import numpy as np

from app.core.verdict import Signal
from app.evaluation import statistics as st
from app.evaluation.routing import chance, routing_row, unrouted_row
from app.evaluation.table import Table


def protocols(table: Table, tau: float, *, resamples: int, seed: int) -> dict[str, Any] | None:
    """The numbers of both protocols; unless every row has a cloud answer, only those of the edge. None if nothing was generated, or
    the one pass gives no verbalized confidence.
    """
    part = table.rows(np.array([record.get("generated_text") is not None for record in table.records]))
    if not len(part) or Signal.VERBALIZED.value not in table.signal:
        return None
    said = [(record["generated_confidence"], record["generated_answer"]) for record in part.records]
    read = [(record["confidence"], record["edge_answer"]) for record in part.records]
    on_format = np.array([bool(record["generated_on_format"]) for record in part.records])
    agree = np.array([one == other for one, other in zip(said, read, strict=True)])
    correct = np.array([letter == record["gold"] for (_, letter), record in zip(said, part.records, strict=True)])
    # A text that cannot be parsed has no confidence, so the question goes to the cloud.
    routed = np.array([letter is None or confidence < tau for confidence, letter in said]) | ~part.covered

    def row(edge_correct: st.Flags, to_cloud: st.Flags) -> dict[str, Any]:
        if not part.cloud_known.all():
            return unrouted_row(edge_correct, to_cloud, resamples=resamples, seed=seed)
        return routing_row(edge_correct, part.cloud_correct, to_cloud, resamples=resamples, seed=seed)[0]

    verbalized = Signal.VERBALIZED.value
    return {
        "n": len(part),
        "on_format": float(on_format.mean()),
        "parsed": float(np.mean([letter is not None for _, letter in said])),
        "agree_on_format": float(agree[on_format].mean()) if on_format.any() else None,
        "one_pass": {**row(part.edge_correct[verbalized], part.signal[verbalized] < tau), "chance": chance(part)},
        "generate": row(correct, routed),
    }
