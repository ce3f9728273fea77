"""Cost of a thousand questions and latency: edge alone, cloud alone, and the routed system. Prices come from the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.evaluation import statistics as st
from app.evaluation.table import Table

_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of one model in any currency: of a million prompt tokens, a million completion tokens, and an hour of its machine."""

    input: float = 0.0
    output: float = 0.0
    per_hour: float = 0.0


def costs(table: Table, routed: st.Flags, prices: Mapping[str, Price]) -> dict[str, Any]:
    """Costs and tokens per thousand questions, and latencies of the collecting run in milliseconds.

    The edge's cost of a question is its share of the batch's forward pass at `per_hour`; the cloud's cost is that of its tokens.
    The routed system pays for the edge on every question, and for the cloud on the routed ones. A number is None where the records
    lack what it needs, or where a model that answered has no price. Without any cloud answer the cloud's numbers are absent.
    """
    models = {str(record["cloud_model"]) for record in table.records if record.get("cloud_model") is not None}
    edge = cloud = np.full(len(table), np.nan)
    if price := prices.get(str(table.records[0]["edge_model"])):
        edge = table.numbers("edge_ms") / table.numbers("edge_batch") / _MS_PER_HOUR * price.per_hour
    if models and models <= set(prices):
        # A reply that could not be read has no model and no tokens in its record, and does not count in the mean.
        of = [prices.get(str(record.get("cloud_model")), Price(np.nan, np.nan)) for record in table.records]
        per_input, per_output, per_hour = np.array([(price.input, price.output, price.per_hour) for price in of]).T
        bought = table.numbers("cloud_prompt_tokens") * per_input + table.numbers("cloud_completion_tokens") * per_output
        rented = np.where(per_hour > 0, table.numbers("cloud_ms") * per_hour, 0.0)
        cloud = bought / 1e6 + rented / _MS_PER_HOUR
    if not table.cloud_known.any():
        return {
            "per_thousand": {"edge_only": _mean(edge, 1000)},
            "latency_ms": {"edge_only": _latency(table.numbers("edge_ms"))},
        }
    tokens, edge_ms, cloud_ms = table.numbers("cloud_tokens"), table.numbers("edge_ms"), table.numbers("cloud_ms")
    return {
        "per_thousand": {
            "edge_only": _mean(edge, 1000),
            "cloud_only": _mean(cloud, 1000),
            "system": _mean(_system(edge, cloud, routed), 1000),
        },
        "cloud_tokens_per_thousand": {
            "cloud_only": _mean(tokens, 1000),
            "system": _mean(_system(np.zeros(len(table)), tokens, routed), 1000),
        },
        "latency_ms": {
            "edge_only": _latency(edge_ms),
            "cloud_only": _latency(cloud_ms),
            "system": _latency(_system(edge_ms, cloud_ms, routed)),
        },
    }


def _system(edge: st.Floats, cloud: st.Floats, routed: st.Flags) -> st.Floats:
    """The edge's part of every question plus the cloud's part of the routed ones; NaN if the cloud's is unknown."""
    return edge + np.where(routed, cloud, 0.0) if np.isfinite(cloud).any() else np.full(len(edge), np.nan)


def _mean(values: st.Floats, times: float) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) * times if len(known) else None


def _latency(values: st.Floats) -> dict[str, float] | None:
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    middle, late = np.quantile(known, [0.5, 0.95])
    return {"mean": float(known.mean()), "p50": float(middle), "p95": float(late)}
