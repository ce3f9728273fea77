"""`foggate ask`: one question at the terminal, with the distributions as bars."""

import contextlib
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.access.caller import Caller
from app.access.quotas import Quotas
from app.api.schemas import AnswerRequest, AnswerResponse, answer_body
from app.cli.bars import loading, working
from app.cli.gateway_client import ask_gateway
from app.config.settings import Settings
from app.core import interrupts
from app.core.errors import CloudError, CloudUnavailable, kinds_of
from app.core.verdict import Signal
from app.edge.build import load_engine
from app.gateway.build import build_gateway, load_calibration
from app.gateway.running import EngineLoader, open_cascade
from app.telemetry.metrics import Metrics

_BAR_WIDTH = 32
# Why the cloud was wanted and did not answer, by the reason of a degraded answer.
_WHY_NOT = {kind.code: kind.summary for kind in kinds_of(CloudError)}


def ask(
    asked: AnswerRequest, *, settings: Settings, url: str | None, key: str | None = None, loader: EngineLoader = load_engine
) -> dict[str, Any]:
    """The body of `/v1/answer`, from a running gateway or from a gateway in this process.

    Args:
        asked: the question.
        settings: what is configured; only a gateway in this process looks at it.
        url: address of a running gateway; None asks in this process.
        key: key for the running gateway.
        loader: makes the engine in this process; tests pass another one.

    Raises:
        FogGateError: there is no answer.
    """
    # An empty address (`--url "$GATEWAY"`) was meant as one: another model must not answer in silence.
    if url is not None:
        reply = ask_gateway(url, asked.model_dump(exclude_none=True), key=key)
        try:
            AnswerResponse.model_validate(reply)
        except ValidationError:
            raise CloudUnavailable(f"what answers at {url} is no gateway: its reply has another form") from None
        return reply
    return interrupts.run(_in_process(asked, settings, loader))


async def _in_process(asked: AnswerRequest, settings: Settings, loader: EngineLoader) -> dict[str, Any]:
    ask, metrics = await asked.to_ask(), Metrics()
    gateway = build_gateway(settings, metrics)
    async with contextlib.AsyncExitStack() as stack:
        with working(loading(settings), at_once=True):
            opened = await stack.enter_async_context(open_cascade(settings, metrics, loader, named=load_calibration(settings)))
        gateway.state.route_by(opened.routing)
        # Whoever may start the model may do everything with it.
        return answer_body(await gateway.answer(ask, Caller(Quotas())))


def show(reply: dict[str, Any], asked: AnswerRequest, console: Console) -> None:
    """Print an answer for a person."""
    degraded = " [yellow](degraded)[/]" if reply["degraded"] else ""
    console.print(f"[bold]{reply['answer']}. {escape(reply['answer_text'])}[/]", soft_wrap=True)
    console.print(
        f"from the [bold]{reply['route']}[/], {reply['reason']}{degraded}, tau {reply['tau']:.3f} on the {reply['signal']} confidence",
        soft_wrap=True,
    )
    if reply["degraded"]:
        sure = reply["expected_confidence" if reply["signal"] == Signal.EXPECTED else "confidence"]
        wanted = "The edge model is not sure of this answer" if sure < reply["tau"] else "The cloud was asked for"
        console.print(f"[yellow]{wanted}, and {_WHY_NOT.get(reply['reason'], 'the cloud gave no answer')}.[/]", soft_wrap=True)
    edge, cloud = reply["edge"], reply["cloud"]
    if edge:
        console.print(
            f"\nedge {escape(edge['model'])}: confidence {reply['confidence']:g}, expected {reply['expected_confidence']:.3f}",
            soft_wrap=True,
        )
        console.print(_bars(edge["confidence_probabilities"], {}))
        texts = dict(zip(edge["answer_probabilities"], asked.options, strict=False))
        console.print(_bars(edge["answer_probabilities"], texts))
    if cloud:
        console.print(
            f"cloud {escape(cloud['model'])}: {cloud['answer']} ({cloud['attempts']} attempt{'s' if cloud['attempts'] > 1 else ''})",
            soft_wrap=True,
        )
    console.print(f"[dim]{reply['timings_ms']['total']:.0f} ms[/]")


def _bars(probabilities: dict[str, float], texts: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 1))
    for name, p in probabilities.items():
        bar = "█" * round(p * _BAR_WIDTH)
        table.add_row(f"  {name:>4}", f"{p:6.1%}", f"[cyan]{bar:<{_BAR_WIDTH}}[/]", escape(texts.get(name, "")))
    return table
