"""`foggate ask`: asks one question, and shows the answer with the edge model's distributions as bars."""

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.options import AsJson, ConfigFile
from app.cli.output import print_json, stdout_console
from app.config.environment import CALLER_KEY
from app.core import interrupts
from app.core.distribution import margin, top_probability
from app.core.errors import CloudError, CloudUnavailable, kinds_of
from app.core.outcome import RouteRequest
from app.core.question import MAX_OPTIONS, MIN_OPTIONS
from app.core.verdict import STATED, Signal

if TYPE_CHECKING:
    from app.api.schemas import AnswerRequest
    from app.config.settings import Settings
    from app.edge.build import EdgeBuilder

_BAR_WIDTH = 32
# Why the cloud did not answer, by the reason of a degraded answer.
_WHY_NOT = {kind.code: kind.summary for kind in kinds_of(CloudError)}


def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="The question, in quotes.")],
    options: Annotated[
        list[str],
        typer.Argument(metavar="OPTION", help=f"Between {MIN_OPTIONS} and {MAX_OPTIONS} options, in order, each in quotes."),
    ],
    config: ConfigFile = None,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Address of a running gateway, such as http://127.0.0.1:8080. Without it, this process loads the model."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(envvar=CALLER_KEY, metavar="KEY", help="API key for the gateway at --url.")] = None,
    domain: Annotated[str | None, typer.Option(metavar="NAME", help="Domain of the question; a domain may have its own threshold.")] = None,
    tau: Annotated[
        float | None, typer.Option(min=0, max=1, metavar="X", help="Threshold for this question.", show_default="the configured one")
    ] = None,
    route: Annotated[RouteRequest, typer.Option(help="Who answers; with auto, the signal decides.")] = RouteRequest.AUTO,
    as_json: AsJson = False,
) -> None:
    """Ask one question. The edge model's probabilities of each option and of each confidence level are shown with the answer."""
    from pydantic import ValidationError

    from app.api.errors import validation_error
    from app.api.schemas import AnswerRequest
    from app.config.loading import load_settings
    from app.telemetry.logs import configure_logging

    configure_logging("error")
    fields: dict[str, Any] = {"question": question, "options": options, "domain": domain, "tau": tau, "route": route.value}
    try:
        asked = AnswerRequest.model_validate(fields)
    except ValidationError as error:
        raise validation_error([dict(item) for item in error.errors()]) from None
    reply = answer_to(asked, settings=load_settings(config), url=url, key=key)
    if as_json:
        print_json(reply)
    else:
        show(reply, asked, stdout_console())


def answer_to(
    asked: "AnswerRequest", *, settings: "Settings", url: str | None, key: str | None = None, edge: "EdgeBuilder | None" = None
) -> dict[str, Any]:
    """Return the body of `/v1/answer`, from a running gateway or from a gateway in this process.

    Args:
        asked: the question.
        settings: settings of a gateway in this process.
        url: address of a running gateway; None asks in this process.
        key: API key for the running gateway.
        edge: function that builds the edge in this process; None builds the configured edge.

    Raises:
        FogGateError: there is no answer.
    """
    from pydantic import ValidationError

    from app.api.schemas import AnswerResponse
    from app.cli.gateway_client import ask_gateway

    # An empty address (`--url "$GATEWAY"` with an unset variable) is an error: another model must not answer instead.
    if url is not None:
        reply = ask_gateway(url, asked.model_dump(exclude_none=True), key=key)
        try:
            AnswerResponse.model_validate(reply)
        except ValidationError:
            raise CloudUnavailable(f"what answers at {url} is not a FogGate gateway: its reply has another form") from None
        return reply
    return interrupts.run(_in_process(asked, settings, edge))


async def _in_process(asked: "AnswerRequest", settings: "Settings", edge: "EdgeBuilder | None") -> dict[str, Any]:
    from app.access.caller import Caller
    from app.access.quotas import Quotas
    from app.api.schemas import answer_body
    from app.cli.bars import loading, working
    from app.edge.build import build_edge
    from app.gateway.build import build_gateway, load_calibration
    from app.gateway.running import open_cascade
    from app.telemetry.metrics import Metrics

    ask, metrics = await asked.to_ask(), Metrics()
    gateway = build_gateway(settings, metrics)
    async with contextlib.AsyncExitStack() as stack:
        with working(loading(settings), at_once=True):
            opened = await stack.enter_async_context(open_cascade(settings, metrics, edge or build_edge, named=load_calibration(settings)))
        gateway.state.route_by(opened.routing)
        # Whoever may start the model may do everything with it.
        return answer_body(await gateway.answer(ask, Caller(Quotas())))


def show(reply: dict[str, Any], asked: "AnswerRequest", console: Console) -> None:
    """Print an answer as text."""
    degraded = " [yellow](degraded)[/]" if reply["degraded"] else ""
    console.print(f"[bold]{reply['answer']}. {escape(reply['answer_text'])}[/]", soft_wrap=True)
    console.print(
        f"from the [bold]{reply['route']}[/], {reply['reason']}{degraded}, tau {reply['tau']:.3f} on the {Signal(reply['signal']).words}",
        soft_wrap=True,
    )
    if reply["degraded"]:
        sure = _signals(reply).get(Signal(reply["signal"]))
        doubt = "is not sure of this answer" if sure is not None else "gives no confidence in this answer"
        wanted = f"The edge model {doubt}" if sure is None or sure < reply["tau"] else "The cloud was asked for"
        console.print(f"[yellow]{wanted}, and {_WHY_NOT.get(reply['reason'], 'the cloud gave no answer')}.[/]", soft_wrap=True)
    edge, cloud = reply["edge"], reply["cloud"]
    if edge:
        confidences, answers = edge["confidence_probabilities"], edge["answer_probabilities"]
        console.print(f"\nedge {escape(edge['model'])}: {_confidence(reply)}", soft_wrap=True)
        if confidences:
            console.print(_bars(confidences, {}))
        if answers:
            console.print(_bars(answers, dict(zip(answers, asked.options, strict=False))))
    if cloud:
        console.print(
            f"cloud {escape(cloud['model'])}: {cloud['answer']} ({cloud['attempts']} attempt{'s' if cloud['attempts'] > 1 else ''})",
            soft_wrap=True,
        )
    console.print(f"[dim]{reply['timings_ms']['total']:.0f} ms[/]")


def _confidence(reply: dict[str, Any]) -> str:
    found = _signals(reply)
    shown = [f"{signal.words} {value:.3f}" for signal, value in found.items() if signal not in STATED]
    if Signal.VERBALIZED in found:
        shown = [f"confidence {found[Signal.VERBALIZED]:g}", f"expected {found[Signal.EXPECTED]:.3f}", *shown]
        return ", ".join(shown)
    return ", ".join([f"{reply['edge']['answer']}, without a confidence", *shown])


def _signals(reply: dict[str, Any]) -> dict[Signal, float]:
    """The signals of a reply's edge that it holds or that follow from it. Gateways of earlier versions do not give `signal_value`."""
    answers = (reply["edge"] or {}).get("answer_probabilities")
    found = {
        Signal.VERBALIZED: reply["confidence"],
        Signal.EXPECTED: reply["expected_confidence"],
        Signal.TOP_PROBABILITY: top_probability(answers.values()) if answers else None,
        Signal.MARGIN: margin(answers.values()) if answers else None,
        Signal.FITTED: reply.get("signal_value") if reply["signal"] == Signal.FITTED else None,
    }
    return {signal: value for signal, value in found.items() if value is not None}


def _bars(probabilities: dict[str, float], texts: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 1))
    for name, p in probabilities.items():
        bar = "█" * round(p * _BAR_WIDTH)
        table.add_row(f"  {name:>4}", f"{p:6.1%}", f"[cyan]{bar:<{_BAR_WIDTH}}[/]", escape(texts.get(name, "")))
    return table
