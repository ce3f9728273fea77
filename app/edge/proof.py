"""The proof that one pass over a model gives what decoding gives, made when the model is loaded: no list of families is trusted.

Three questions are read in one pass and decoded string by string, and every probability is compared. In float32 the two differ in the
sixth digit, so that a mask, a position or a scale that a family treats in its own way is seen. A bf16 model computes in float32 for this
(`app/edge/full_precision.py`): rounding to bf16 moves probabilities by a few hundredths, and a wrong mask may move them by no more.
In bf16 itself, the pass must then be as near to float32 as decoding in bf16 is.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from app.core.errors import ConfigError, EdgeError, FogGateError
from app.core.question import MAX_OPTIONS, LongQuestion, Question
from app.core.verdict import JointVerdict
from app.edge.engine import VerdictEngine
from app.edge.full_precision import InFloat32
from app.edge.plain_decoding import PlainVerdict, plain_verdict
from app.edge.rendering import Renderer

# Sums of float32 in another order: 3e-6 at most in the families of tests/unit/test_families.py.
TOLERANCE = 1e-4
# In bf16 the pass may be this many times as far from float32 as plain decoding in bf16, and this much further.
_ROUNDING_FACTOR, _ROUNDING_FLOOR = 4.0, 0.05
# Quantised weights cannot be cast: both ways are computed as they are served, and rounded differently.
_QUANTISED_TOLERANCE = 0.1
_PASSAGE = "The river rises in the hills, crosses the plain and reaches the sea near the old harbour. "
_PROBES = (
    Question("Is seven a prime number?", ("Yes", "No")),
    Question("Which of these is a gas at room temperature?", ("Iron", "Oxygen", "Salt", "Glass")),
    Question("\nHow many legs does a spider have?", ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")),
)
_LONG = 1
# Which questions share a pass: short ones with a little padding, a long one without any, and a short one with much.
_PASSES = ((0, 2), (1,), (1, 0))
# The prompt of the long one has so many tokens behind the shared prefix: attention in parts takes more than one step over it.
_STEPS = 160
# Some of its labels are one token and some are two, in the tokenizers that are known.
_MANY_OPTIONS = LongQuestion("Which number is even?", tuple(str(number) for number in range(1, MAX_OPTIONS + 15)))


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found.

    Attributes:
        difference: largest difference of a probability between one pass and plain decoding, both in float32.
        rounding: largest difference from that in the dtype that is served; None where that is float32.
        seconds: how long it took.
    """

    difference: float
    rounding: float | None
    seconds: float

    def __str__(self) -> str:
        rounding = "" if self.rounding is None else f"; in the dtype that is served, rounding moves one by up to {self.rounding:.1g}"
        return f"largest difference of a probability {self.difference:.1e}{rounding}; {self.seconds:.1f} s"


def prove(model: Any, make: Callable[[], VerdictEngine], engine: VerdictEngine) -> Proof:
    """Compare one pass with plain decoding, on three questions, alone and with padding.

    Args:
        model: the model that the engine reads.
        make: makes an engine of that model, as `engine` was made.
        engine: the engine that will serve.

    Raises:
        ConfigError: they differ by more than rounding explains, or the model's output is not finite.
    """
    started = time.monotonic()
    served_exactly, tolerance = _comparison(model)
    questions = probes(engine, model.config.get_text_config(decoder=True))
    try:
        with nullcontext() if served_exactly else InFloat32():
            exact = [_plain(model, engine.renderer, question) for question in questions]
            difference = _furthest(_passes(engine if served_exactly else make(), questions, exact))
        # Written so that NaN is refused.
        if not difference <= tolerance:
            raise ConfigError(
                f"the model '{engine.name}' cannot be used: read in one pass, a probability is off by {difference:.2g} from plain decoding "
                f"(at most {tolerance:g} is allowed), so that its layers use masks or positions in a way that one pass does not reproduce"
            )
        rounding = None if served_exactly else _check_rounding(model, engine, questions, exact)
    except EdgeError as error:
        raise ConfigError(f"the model '{engine.name}' cannot be used: {error.message}") from error
    return Proof(difference, rounding, time.monotonic() - started)


def prove_as_served(model: Any, engine: VerdictEngine) -> float:
    """Compare an engine whose layers are compiled or whose passes are recorded with plain decoding, as `prove` did before they were.

    Args:
        model: the model that the engine reads; outside its passes its layers are as they are written.
        engine: the engine that will serve.

    Returns:
        Largest difference of a probability from plain decoding in float32.

    Raises:
        ConfigError: it is larger than rounding explains, or the output is not finite.
    """
    served_exactly, tolerance = _comparison(model)
    questions = probes(engine, model.config.get_text_config(decoder=True))
    try:
        with nullcontext() if served_exactly else InFloat32():
            exact = [_plain(model, engine.renderer, question) for question in questions]
        if not served_exactly:
            return _check_rounding(model, engine, questions, exact)
        difference = _furthest(_passes(engine, questions, exact))
    except EdgeError as error:
        raise ConfigError(error.message) from error
    if not difference <= tolerance:
        raise ConfigError(f"a probability is off by {difference:.2g} from plain decoding (at most {tolerance:g} is allowed)")
    return difference


def prove_long(model: Any, make: Callable[[], VerdictEngine], engine: VerdictEngine) -> Proof:
    """Compare one pass with plain decoding on a question with more options than letters; the arguments are those of `prove`.

    In the dtype that is served nothing more is compared: masks and positions are those that `prove` has compared there.

    Raises:
        ConfigError: they differ, the model's output is not finite, or its tokenizer cannot write the labels.
    """
    started = time.monotonic()
    served_exactly, tolerance = _comparison(model)
    try:
        with nullcontext() if served_exactly else InFloat32():
            exact = _plain(model, engine.renderer, _MANY_OPTIONS)
            reader = engine
            if not served_exactly:
                reader = make()
                reader.read_long_labels()
            (verdict,) = reader.verdicts([reader.prepare(_MANY_OPTIONS)])
            difference = _furthest([(verdict, exact)])
    except FogGateError as error:
        raise ConfigError(error.message) from error
    if not difference <= tolerance:
        raise ConfigError(
            f"read in one pass, a probability is off by {difference:.2g} from plain decoding (at most {tolerance:g} is allowed)"
        )
    return Proof(difference, None, time.monotonic() - started)


def _comparison(model: Any) -> tuple[bool, float]:
    """Whether a model is compared as it is served, and the largest difference that is allowed between one pass and decoding."""
    quantised = getattr(model, "hf_quantizer", None) is not None
    return quantised or model.dtype is torch.float32, _QUANTISED_TOLERANCE if quantised else TOLERANCE


def _check_rounding(model: Any, engine: VerdictEngine, questions: Sequence[Question], exact: Sequence[PlainVerdict]) -> float:
    """How far the serving dtype moves a probability of one pass. Raises ConfigError where plain decoding is much nearer to float32."""
    decoded = [_plain(model, engine.renderer, question).joint for question in questions]
    allowed = _ROUNDING_FACTOR * max(_apart(a, b.joint) for a, b in zip(decoded, exact, strict=True)) + _ROUNDING_FLOOR
    found = max(_apart(verdict.joint, plain.joint) for verdict, plain in _passes(engine, questions, exact))
    if not found <= allowed:
        dtype = str(model.dtype).removeprefix("torch.")
        raise ConfigError(
            f"the model '{engine.name}' cannot be used in {dtype} on {model.device.type}: one pass moves a probability by {found:.1g}, "
            f"decoding at most by {allowed:.1g}; set edge.dtype to float32"
        )
    return found


def probes(engine: VerdictEngine, config: Any) -> list[Question]:
    """The questions of the proof: 2, 4 and 10 options, the one with 4 longer than each window of the model that a prompt can exceed, and than
    one step of attention in parts.

    Raises:
        ConfigError: the model has no room for a question.
    """
    found = list(_PROBES)
    reach = [window for window in _windows(config) if window < engine.max_prompt_tokens]
    found[_LONG] = _longer(found[_LONG], engine, max(engine.prefix_tokens + _STEPS, *reach, 0))
    lengths = [len(engine.renderer.prompt(question).ids) for question in found]
    fitting = [question for question, length in zip(found, lengths, strict=True) if length <= engine.max_prompt_tokens]
    if not fitting:
        raise ConfigError(
            f"the model '{engine.name}' cannot be used: a prompt may have {engine.max_prompt_tokens} tokens, and a short question has "
            f"{min(lengths)}"
        )
    return fitting


def _longer(question: Question, engine: VerdictEngine, reach: int) -> Question:
    """A question with passages before it, so that its prompt has more tokens than `reach` where the limit of the engine allows it."""
    text, found = question.question, question
    while len(engine.renderer.prompt(found).ids) <= reach:
        text = _PASSAGE + text
        longer = Question(text, question.options)
        if len(engine.renderer.prompt(longer).ids) > engine.max_prompt_tokens:
            break
        found = longer
    return found


def _windows(config: Any) -> list[int]:
    """Sizes of windows and chunks, by whatever name a configuration has them."""
    return [
        value
        for name, value in config.to_dict().items()
        if ("window" in name or "chunk" in name) and isinstance(value, int) and not isinstance(value, bool) and value > 1
    ]


def _plain(model: Any, renderer: Renderer, question: Question) -> PlainVerdict:
    return plain_verdict(model, renderer.encode, renderer.render(question), question.labels)


def _passes(engine: VerdictEngine, questions: Sequence[Question], exact: Sequence[PlainVerdict]) -> list[tuple[JointVerdict, PlainVerdict]]:
    """Verdicts of one pass, each with the plain one; some questions are read more than once."""
    prompts = [engine.prepare(question) for question in questions]
    last = len(prompts) - 1
    # In any case one pass with several prompts, and one with a single one: they are computed in different ways. Where passes run side by side,
    # each of them has several.
    batches = _PASSES if len(prompts) == len(_PROBES) else ((0, last), (last,))
    together = [batch * engine.side_by_side if len(batch) > 1 else batch for batch in batches]

    def read() -> list[tuple[JointVerdict, PlainVerdict]]:
        return [
            (verdict, exact[at])
            for batch in together
            for at, verdict in zip(batch, engine.verdicts([prompts[at] for at in batch]), strict=True)
        ]

    if engine.side_by_side == 1:
        return read()
    found, pure = engine.keeps_nothing(read)
    if not pure:
        raise EdgeError("its layers note something of a pass in themselves, so that two passes at the same time would be mixed up")
    return found


def _furthest(compared: Iterable[tuple[JointVerdict, PlainVerdict]]) -> float:
    return max(max(_apart(verdict.joint, plain.joint), plain.greedy_gaps[verdict.greedy_bucket]) for verdict, plain in compared)


def _apart(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> float:
    """Largest difference of P(bucket) or P(letter | bucket). In the joint, letters behind an improbable bucket would not count."""
    worst = 0.0
    for row, plain in zip(one, other, strict=True):
        mass, plain_mass = math.fsum(row), math.fsum(plain)
        differences = [mass - plain_mass]
        if min(mass, plain_mass) > 0.0:
            differences += [a / mass - b / plain_mass for a, b in zip(row, plain, strict=True)]
        # `max` would pass over NaN.
        worst = max(worst, *(math.inf if math.isnan(value) else abs(value) for value in differences))
    return worst
