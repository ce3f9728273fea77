"""The targets of the project on the speed of the edge model, each with what a report says of it. Pure: it reads the report only."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.bench.goal import Goal
from app.bench.peers.foggate import NAME

# The length of prompts that the targets speak of, in tokens.
_TOKENS = 200
_BATCH, _LARGE_BATCH = 16, 64
_R2 = 0.98
# Times as fast as a peer, by what the name of the peer begins with.
_PEERS = {"llama": 2.0, "transformers": 2.0, "vllm": 1.5}
# A way that gives one token is shown in the table and is no way to learn a confidence.
_NO_CONFIDENCE = "chat, one token"
_REQUEST = 256
_READY_S, _RSS_MB = 4.0, 900.0
_SHARE, _ONE_MS, _HTTP_P50_MS, _HTTP_P99_MS, _OFFERED = 0.4, 5.0, 10.0, 50.0, 1000
_P99 = 0.99
_RATES = {"qwen3-0.6b": 2000.0, "gemma-3-1b": 1200.0}


def goals_of(report: Mapping[str, Any]) -> list[Goal]:
    """The targets for the device of a report; those of a part that was left out are `not measured`."""
    linear = report["fits"].get("one pass")
    goals = list(_on_gpu(report) if report["device"] == "cuda" else _on_cpu(report))
    return [
        *goals,
        Goal(
            f"time for a question grows linearly with its tokens: R² of at least {_R2}", _R2, True, None if linear is None else linear["r2"]
        ),
    ]


def _on_cpu(report: Mapping[str, Any]) -> Iterator[Goal]:
    one, batch = _cell(report, "lengths", _TOKENS), _cell(report, "batches", _BATCH)
    yield Goal(f"batch 1, {_TOKENS} tokens: at least 5 times as fast as `generate`", 5.0, True, one.get("ratio_vs_generate"))
    yield Goal(f"batch 1, {_TOKENS} tokens: at most 0.85 of the time of a bare prefill", 0.85, False, one.get("ratio_vs_prefill"))
    of_prefill = batch.get("ratio_by_length_vs_prefill")
    yield Goal(
        f"batch {_BATCH}, by length: at least 0.9 of the prompt tokens a second of a bare prefill",
        0.9,
        True,
        1 / of_prefill if of_prefill else None,
    )
    http = report.get("http") or {"servers": [], "clients": 16}
    for server in http["servers"]:
        limit = next((limit for name, limit in _PEERS.items() if server["server"].startswith(name)), None)
        if limit is not None and server["way"] != _NO_CONFIDENCE:
            times = None if server["reason"] is not None else server["foggate_times"]
            way = f" ({server['way']})" if server["way"] else ""
            text = f"{http['clients']} clients over HTTP: at least {limit:g} times as many questions a second as {server['server']}{way}"
            yield Goal(text, limit, True, None if times is None else times["median"])
    ours = _ours(http)
    yield Goal(
        f"{_REQUEST} questions in one request, all answered: at least 0.9 of the engine's own rate", 0.9, True, _of_engine(ours, report)
    )
    yield Goal(f"the gateway is ready in under {_READY_S:g} s", _READY_S, False, ours.get("ready_s"))
    rss = ours.get("rss_bytes")
    yield Goal(f"the gateway's memory (RSS) is under {_RSS_MB:.0f} MB", _RSS_MB, False, None if rss is None else rss / 1e6)


def _on_gpu(report: Mapping[str, Any]) -> Iterator[Goal]:
    one, batch = _cell(report, "lengths", _TOKENS), _cell(report, "batches", _LARGE_BATCH)
    # Questions of the bank as they are have shorter prompts.
    batch = batch if report.get("batch_tokens") == _TOKENS else {}
    large = f"batch {_LARGE_BATCH}, {_TOKENS} tokens"
    share = batch["roofline"]["share"] if batch else None
    yield Goal(f"{large}: at least {_SHARE:g} of a large matrix product's operations a second", _SHARE, True, share)
    for shape, rate in _RATES.items():
        if shape in report["model"]:
            best = _best(batch) if batch else None
            yield Goal(f"{large}: at least {rate:,.0f} questions a second at the shape of {shape}", rate, True, best)
    seconds = one["ways"]["one pass"]["seconds_per_question"]["median"] if one else None
    yield Goal(f"batch 1, {_TOKENS} tokens: at most {_ONE_MS:g} ms", _ONE_MS, False, None if seconds is None else 1000 * seconds)
    ours = _ours(report.get("http") or {"servers": []})
    alone, offered = ours.get("one_connection"), ours.get("offered", [])
    p50 = None if alone is None or alone["p50_s"] is None or alone["failures"] else 1000 * alone["p50_s"]
    yield Goal(f"over HTTP: p50 of at most {_HTTP_P50_MS:g} ms at one connection", _HTTP_P50_MS, False, p50)
    text = f"over HTTP: p99 of at most {_HTTP_P99_MS:g} ms at {_OFFERED:,} questions a second offered"
    yield Goal(
        text, _HTTP_P99_MS, False, _p99_ms(next((found for found in offered if found["rate"] == _OFFERED), None), report.get("http"))
    )


def _p99_ms(found: Mapping[str, Any] | None, http: Mapping[str, Any] | None) -> float | None:
    """The 99th percentile of what was offered: where more than 1 % have no answer, it is at least the time that was waited for one."""
    if found is None or http is None:
        return None
    if found["answered_share"] < _P99:
        return float(1000 * http["rate_timeout_s"])
    return None if found["p99_s"] is None else 1000 * float(found["p99_s"])


def _of_engine(ours: Mapping[str, Any], report: Mapping[str, Any]) -> float | None:
    """Rate of one request with many questions by the best rate of the engine in its process; 0 where any of them was refused."""
    request = ours.get("batch_request")
    rates = [_best(cell) for cell in report["cells"] if cell["part"] == "batches"]
    if request is None or request["questions"] != _REQUEST or not rates:
        return None
    return 0.0 if request["not_answered"] else float(request["questions_per_s"]["median"] / max(rates))


def _best(cell: Mapping[str, Any]) -> float:
    """Questions a second of the one pass in a cell, in the better of both orders."""
    return max(float(way["questions_per_s"]) for name, way in cell["ways"].items() if name.startswith("one pass"))


def _cell(report: Mapping[str, Any], part: str, value: int) -> Mapping[str, Any]:
    """The cell of a part with this value; an empty one where it was not measured."""
    return next((cell for cell in report["cells"] if (cell["part"], cell["value"]) == (part, value)), {})


def _ours(http: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((server for server in http["servers"] if server["server"] == NAME and server["reason"] is None), {})
