"""How much a text and its list read like a question of an examination, where no instruction says that one option is to be chosen.

`What is the best bread for this soup?` and `What is the best estimate of the mean?` have the same form; what they speak of tells them
apart. So does the text in front of a question: a passage belongs to it, a wish such as `I need a friendlier version of this` does not.
Two linear models over hashed words say so, made by `python -m tests.runs.register_fit` from questions of examinations and from
ordinary prompts. The file of their weights holds no word of them. They judge words only: labels, layout and instructions are the
business of the other files.
"""

import base64
import math
import re
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

BUCKETS = 1 << 14
# Words that are looked at: at each end of a text, and of each option. They bound the work on a long message.
_TEXT_WORDS, _OPTION_WORDS, _MAX_CHARS, _MAX_SENTENCE, _MAX_WORD = 150, 24, 2_400, 600, 24
_WORD = re.compile(r"[^\W\d_]+|\d+|\$\$?|\\[a-z]+|[^\w\s]")
_LONG, _BEGIN, _END = 4, 5, 3
# Fewer words in front of the last sentence are no text.
_FRONT_WORDS = 3
_WEIGHTS = Path(__file__).with_name("register.b85")

Features = dict[int, float]
Model = tuple[tuple[int, ...], float, float]


def score(question: str, options: tuple[str, ...]) -> float:
    """Log-odds that a text and its list are a question of an examination: positive where they read like one."""
    return value_of(features(question, options), models()[0])


def score_of_front(question: str) -> float | None:
    """Log-odds that what stands in front of the last sentence belongs to the question, or None if nothing does."""
    found = features_of_front(question)
    return None if found is None else value_of(found, models()[1])


def value_of(given: Features, model: Model) -> float:
    """The score of features: a model is its whole numbers, the step of one, and the bias."""
    numbers, step, bias = model
    return bias + step * sum(value * numbers[bucket] for bucket, value in given.items())


@cache
def models(path: Path = _WEIGHTS) -> tuple[Model, ...]:
    """The models of a file: one for the whole text, one for what stands in front."""
    return tuple(_model(*line.split()) for line in path.read_text(encoding="ascii").splitlines())


def _model(step: str, bias: str, packed: str) -> Model:
    raw = zlib.decompress(base64.b85decode(packed))
    return tuple(byte - 256 if byte > 127 else byte for byte in raw), float(step), float(bias)  # noqa: PLR2004


def features(question: str, options: tuple[str, ...]) -> Features:
    """Features of a text and its options."""
    sentence = _parted(question)[1]
    return _hashed(
        ("q", _of_text(question)), ("s", _of_sentence(sentence)), ("o", _of_options(options)), ("f", _of_form(question, options))
    )


def features_of_front(question: str) -> Features | None:
    """Features of the text in front of the last sentence, or None if there is none."""
    front = _parted(question)[0].strip()
    if len(front[:400].split()) < _FRONT_WORDS:
        return None
    return _hashed(("p", _of_text(front)), ("b", _of_beginning(front)), ("g", _of_front_form(front)))


def _hashed(*groups: tuple[str, Iterable[str]]) -> Features:
    """Bucket → value. The words of a group have length 1 together: one word more counts less in a long text than in a short one."""
    found: Features = {}
    for name, group in groups:
        buckets = {zlib.crc32(f"{name}{feature}".encode(errors="replace")) % BUCKETS for feature in group}
        value = 1 / math.sqrt(len(buckets) or 1)
        for bucket in buckets:
            found[bucket] = found.get(bucket, 0.0) + value
    return found


def _words_of(text: str) -> list[str]:
    """The words, numbers and marks of a text in lower case; every number is `0`."""
    return ["0" if word[0].isdigit() else word.lower()[:_MAX_WORD] for word in _WORD.findall(text)]


def _parted(question: str) -> tuple[str, str]:
    """The text in front of the last sentence or line, and that sentence."""
    text = question.rstrip()
    begin = max(text.rfind(mark, max(0, len(text) - _MAX_SENTENCE), -1) for mark in (". ", "? ", "! ", "\n", ": "))
    return text[: begin + 1], text[begin + 1 :][-_MAX_SENTENCE:]


def _of_text(text: str) -> Iterator[str]:
    first, last = (text, "") if len(text) <= 2 * _MAX_CHARS else (text[:_MAX_CHARS], text[-_MAX_CHARS:])
    for word in (*_words_of(first)[: 2 * _TEXT_WORDS], *_words_of(last)[-_TEXT_WORDS:]):
        yield from _parts(word)


def _parts(word: str) -> Iterator[str]:
    yield word
    if len(word) > _LONG:
        yield f"{word[:_BEGIN]}-"
        yield f"-{word[-_END:]}"


def _of_sentence(sentence: str) -> Iterator[str]:
    """The first words of the last sentence, its last ones, and its pairs of words."""
    words = _words_of(sentence)
    for first, second in zip(["^", *words[:20]], [*words[:20], "$"], strict=True):
        yield f"{first} {second}"
    yield from (f"^{word}" for word in words[:2])
    yield from (f"{word}$" for word in words[-3:])
    yield " ".join(words[:3])


def _of_options(options: tuple[str, ...]) -> Iterator[str]:
    for option in options:
        for word in _words_of(option[:400])[:_OPTION_WORDS]:
            yield from _parts(word)


def _of_form(question: str, options: tuple[str, ...]) -> Iterator[str]:
    """Length and form of the question and of the options, in classes."""
    text = question[: 2 * _MAX_CHARS]
    mean = sum(option[:400].count(" ") + 1 for option in options) / len(options)
    yield f"n{min(len(options), 6)}"
    yield f"l{int(2 * math.log2(text.count(' ') + 1))}"
    yield f"m{int(2 * math.log2(mean))}"
    yield f"l{int(math.log2(text.count(' ') + 1))}m{int(math.log2(mean))}"
    yield f"e{question.rstrip()[-1:]}"
    yield f"s{min(3, sum(text.count(mark) for mark in ('. ', '? ', '! ')))}"
    yield f"u{sum(option[:1].isupper() for option in options) * 2 // len(options)}"
    yield f"d{sum(option[-1:] == '.' for option in options) * 2 // len(options)}"
    yield f"w{len({option.split(' ', 1)[0] for option in options}) < len(options)}"
    yield f"t{math.floor(math.log2(max(map(len, options)) / max(1, min(map(len, options)))))}"


def _of_beginning(front: str) -> Iterator[str]:
    """The first words: a request begins with its verb."""
    words = _words_of(front[:200])[:6]
    yield from words[:2]
    yield from (f"{first} {second}" for first, second in pairwise(words))


def _of_front_form(front: str) -> Iterator[str]:
    text = front[: 2 * _MAX_CHARS]
    yield f"l{int(2 * math.log2(text.count(' ') + 1))}"
    yield f"e{front[-1:]}"
    yield f"n{min(3, text.count(chr(10)))}"
    yield f"d{any(character.isdigit() for character in text)}"
