"""What `foggate bench edge` measures by default, by the kind of device. Knows no torch."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Defaults of the full bench.

    Attributes:
        lengths: lengths of prompts in tokens, at batch size 1.
        options: numbers of options, at batch size 1.
        batches: batch sizes.
        batch_tokens: length in tokens of the prompts of batches and of those over HTTP; 0: questions of the bank as they are.
        questions: number of questions for each batch size, and in a round over HTTP.
        most_batches: batches of one size at most, so that small batches have fewer questions; None: no bound.
        rounds: rounds of each cell inside the process.
        cell_s: seconds after which no further round of a cell begins.
        reference_batches: batches of a round that `generate` answers; None: all of them.
        apart: see `app.bench.edge.sweep.Limits`.
        clients: connections of the closed loop over HTTP.
        http_rounds: rounds over HTTP.
        one_connection: questions over HTTP that one connection asks one after the other; 0: none.
        rates: rates in questions a second that are offered over HTTP.
        rate_seconds: seconds of one measurement at a rate.
        warm_up_s: seconds of traffic, at each rate too, that are not counted.
    """

    lengths: Sequence[int]
    options: Sequence[int]
    batches: Sequence[int]
    batch_tokens: int
    questions: int
    most_batches: int | None
    rounds: int
    cell_s: float
    reference_batches: int | None
    apart: bool
    clients: int
    http_rounds: int
    one_connection: int
    rates: Sequence[int]
    rate_seconds: float
    warm_up_s: float


ON_CPU = Preset(
    lengths=(50, 100, 200, 400, 800, 1200, 1500),
    options=(2, 4, 10, 26),
    batches=(1, 4, 16, 32),
    batch_tokens=0,
    questions=32,
    most_batches=None,
    rounds=7,
    cell_s=60.0,
    reference_batches=None,
    apart=False,
    clients=16,
    http_rounds=3,
    one_connection=0,
    rates=(),
    rate_seconds=5.0,
    warm_up_s=0.0,
)
# About 100 seconds for a model of one billion parameters on a data centre's card. The reference takes a fifth of a second for one answer
# there, whatever the batch, and would take most of that time.
ON_GPU = Preset(
    lengths=(50, 200, 400, 800, 1500),
    options=(),
    batches=(1, 16, 64, 128),
    batch_tokens=200,
    questions=256,
    most_batches=32,
    rounds=5,
    cell_s=4.0,
    reference_batches=1,
    apart=True,
    clients=64,
    http_rounds=3,
    one_connection=200,
    rates=(20, 1000),
    rate_seconds=3.0,
    warm_up_s=1.0,
)


def preset_of(device: str) -> Preset:
    """The defaults for a kind of device by torch's name, as `cpu` or `cuda`."""
    return ON_GPU if device == "cuda" else ON_CPU
