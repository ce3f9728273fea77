"""The whole bench of an edge model: cells in this process, then FogGate and its peers over HTTP; one JSON object."""

import datetime as dt
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers

from app import __version__
from app.bench.ceiling import BODY, ceiling, least_server, request_of
from app.bench.edge.over_http import Traffic, measure_over_http
from app.bench.edge.plan import Plan, measure_all, questions_for
from app.bench.edge.roofline import layer_parameters
from app.bench.edge.ways import Ways
from app.bench.machine import machine
from app.bench.numbers import rounded
from app.bench.offered import Total, offer, precise_loop, send_times
from app.bench.peers.protocol import Asked, Peer, Place
from app.bench.processes import Server
from app.core import interrupts
from app.edge.engine import VerdictEngine
from app.edge.loader import LoadedModel


def measure_inside(
    loaded: LoadedModel, engine: VerdictEngine, plan: Plan, hardware: str, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Measure the model inside this process.

    Args:
        loaded: the model.
        engine: its one-pass engine.
        plan: what is measured.
        hardware: the device, in a few words.
        progress: told what is being done.

    Raises:
        ConfigError: there are no questions with what is wanted.
    """
    began, created, load = time.monotonic(), dt.datetime.now(dt.UTC), machine()["load"]
    ways = Ways(loaded, engine)
    found = measure_all(ways, plan, progress)
    return {
        "created": created.isoformat(timespec="seconds"),
        "load": load,
        "model": loaded.name,
        "parameters": engine.parameters,
        "layer_parameters": layer_parameters(loaded.model),
        "dtype": str(loaded.model.dtype).removeprefix("torch."),
        "device": loaded.model.device.type,
        "threads": torch.get_num_threads(),
        "hardware": hardware,
        "shared_prefix_tokens": engine.prefix_tokens,
        "trie_nodes": ways.nodes,
        "rounds": plan.limits.rounds,
        "batch_tokens": plan.batch_tokens,
        **found,
        "versions": {
            "foggate": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "elapsed_s": rounded(time.monotonic() - began),
    }


def questions_for_http(engine: VerdictEngine, loaded: LoadedModel, count: int, tokens: int = 0) -> Callable[[int], Sequence[Asked]]:
    """Questions in any number of wordings: a number in front of each keeps their prompts from beginning alike.

    Args:
        engine: the engine of the model.
        loaded: the model.
        count: number of questions.
        tokens: length of their prompts in tokens, without that number; 0: questions of the bank as they are.
    """
    prepared = Ways(loaded, engine).prepare(questions_for(engine.renderer, count, tokens))

    def wording(number: int) -> list[Asked]:
        asked = []
        for place, each in enumerate(prepared):
            question = replace(each.question, question=f"{number * count + place}. {each.question.question}")
            asked.append(Asked(question, engine.renderer.messages(question), each.answer_tokens))
        return asked

    return wording


def save_model(loaded: LoadedModel, folder: Path) -> Path:
    """Write a model as transformers does, for servers that read it from a folder."""
    transformers.logging.disable_progress_bar()
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return folder


def measure_servers(
    peers: Sequence[Peer], asked: Callable[[int], Sequence[Asked]], place: Place, traffic: Traffic, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Measure servers over HTTP, and the client that measures them.

    Returns:
        A JSON object with a row for each way of each server, and what the clients reach against the least server.

    Raises:
        ServerFailed: the least server cannot be started.
    """
    began = time.monotonic()
    progress("the client itself")
    with least_server() as least:
        own = interrupts.run(ceiling(least, clients=traffic.clients))
        own_offered = [_offered_alone(least, rate, traffic) for rate in traffic.rates]
    rows = measure_over_http(peers, asked, place, traffic, progress)
    return {
        "clients": traffic.clients,
        "rounds": traffic.rounds,
        "client_requests_per_s": rounded(own.rate),
        "client_cpu_s_per_request": rounded(own.client_cpu_s / max(1, len(own.latencies))),
        "rate_seconds": traffic.rate_seconds,
        "rate_timeout_s": traffic.rate_timeout,
        "client_offered": own_offered,
        "servers": rows,
        "elapsed_s": rounded(time.monotonic() - began),
    }


def _offered_alone(least: Server, rate: float, traffic: Traffic) -> dict[str, Any]:
    """What the client at a fixed rate sees of the least server: what it adds itself."""
    times = send_times(rate, traffic.rate_seconds)
    run = offer(
        [request_of(least)],
        times,
        rate=rate,
        connections=traffic.rate_connections,
        timeout=traffic.rate_timeout,
        accepts=BODY.__eq__,
    )
    return Total.of([interrupts.run(run, loop=precise_loop)]).row()
