"""Options of `foggate bench edge` beyond the short bench, options that benches share, and lists of numbers in options."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.bench.edge.presets import ON_CPU, ON_GPU, Preset
from app.core.errors import ConfigError

Out = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Folder for bench.md, bench.json and the pictures.", show_default="the report is printed only"),
]


def _default(of: Callable[[Preset], Sequence[int] | float]) -> str:
    """The defaults of an option in words: on a CPU, and on a GPU where it is another one."""
    cpu, gpu = (_said(of(preset)) for preset in (ON_CPU, ON_GPU))
    return cpu if cpu == gpu else f"{cpu}; on a GPU {gpu}"


def _said(value: Sequence[int] | float) -> str:
    return f"{value:g}" if isinstance(value, int | float) else ",".join(map(str, value)) or "none"


Lengths = Annotated[
    str | None,
    typer.Option(metavar="N,N,…", help="Lengths of prompts in tokens, at batch size 1.", show_default=_default(lambda each: each.lengths)),
]
OptionCounts = Annotated[
    str | None,
    typer.Option(metavar="N,N,…", help="Numbers of options, at batch size 1.", show_default=_default(lambda each: each.options)),
]
Batches = Annotated[
    str | None,
    typer.Option(metavar="N,N,…", help="Batch sizes, on questions of the shipped bank.", show_default=_default(lambda each: each.batches)),
]
BatchTokens = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Length in tokens of the prompts of batches and over HTTP; 0: questions of the bank as they are.",
        show_default=_default(lambda each: each.batch_tokens),
    ),
]
QuestionCount = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Number of questions for each batch size, and in a round over HTTP.",
        show_default=_default(lambda each: each.questions),
    ),
]
Rounds = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Interleaved rounds of each measurement inside the process.",
        show_default=_default(lambda each: each.rounds),
    ),
]
CellSeconds = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="No further round of a measurement begins after this many seconds.",
        show_default=_default(lambda each: each.cell_s),
    ),
]
Clients = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Clients over HTTP; each has one request under way.", show_default=_default(lambda each: each.clients)
    ),
]
HttpRounds = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Rounds over HTTP.", show_default=_default(lambda each: each.http_rounds)),
]
OneConnection = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Questions over HTTP that a single connection asks one after the other; 0: none.",
        show_default=_default(lambda each: each.one_connection),
    ),
]
EdgeRates = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,…",
        help="Rates in requests a second. Requests are sent at these rates too, whether or not the server keeps up.",
        show_default=_default(lambda each: each.rates),
    ),
]
EdgeRateSeconds = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        max=600,
        metavar="SECONDS",
        help="Length of one measurement at a rate.",
        show_default=_default(lambda each: each.rate_seconds),
    ),
]
PeersFolder = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where peers are installed, once.", show_default="the folder `peers` of the cache"),
]
Rates = Annotated[
    str,
    typer.Option(
        metavar="N,N,…",
        help="Rates in requests a second. Requests are sent at these rates too, whether or not the server keeps up.",
        show_default="none",
    ),
]
RateSeconds = Annotated[float, typer.Option(min=0.1, max=600, metavar="SECONDS", help="Length of one measurement at a rate.")]


def rates_of(text: str, seconds: float) -> tuple[int, ...]:
    """Read the rates of `--rate`.

    Args:
        text: value of the option.
        seconds: length of a measurement in seconds.

    Raises:
        ConfigError: the text is something else, or a measurement would have too many requests.
    """
    from app.bench.offered import MOST_REQUESTS

    rates = whole_numbers(text, "--rate")
    if rates and max(rates) * seconds > MOST_REQUESTS:
        raise ConfigError(f"--rate {max(rates)} for {seconds:g} s are more than {MOST_REQUESTS:,} requests; choose less of either")
    return rates


def whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """Read a list of positive whole numbers, as in `1,4,16`; an empty text is none.

    Args:
        text: value of the option.
        option: name of the option, for the message.

    Raises:
        ConfigError: the text is something else.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    # int() would take other scripts' digits and underscores too.
    if not all(word.isascii() and word.isdigit() and int(word) > 0 for word in words):
        raise ConfigError(f"{option} wants whole numbers with commas between them, as in 1,4,16, and not {text!r}")
    return tuple(dict.fromkeys(int(word) for word in words))
