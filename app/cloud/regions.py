"""The parts of an answer that are marked as the answer: JSON, `<answer>` tags, `\\\\boxed{…}`.

What they name is a claim; the rest of the text is prose, with a placeholder where a part was.
"""

import contextlib
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from app.cloud.claims import FINAL, Claim, claims
from app.cloud.values import UNCLEAR, Values, letters_as_latin
from app.core.errors import CloudUnparsable

_PLACEHOLDER = "\N{WHITE SQUARE}"
_KEYS = re.compile(
    r"(?:(?:final|correct|selected|corrected|revised|updated|new|my|model|actual|true|chosen|predicted|best|the|your)?(?:answer|option|choice|letter)|selected|(?:answer|option)(?:letter|option|choice))\Z"
)
_TEXT_KEYS = re.compile(r"(?:answer|option|choice|selected)?(?:text|value|content|label)\Z")
_KEY = r"(?:final[_ ]?|correct[_ ]?|selected[_ ]?)?(?:answer|letter|choice|option)(?:[_ ]?(?:letter|option|choice))?"
_PAIR = re.compile(
    rf"[\"']{_KEY}[\"']\s{{0,20}}:\s{{0,20}}(?:\"([^\"\\\n]{{0,2000}})\"|'([^'\\\n]{{0,2000}})'|([^\s,}}\"']{{1,40}}))", re.IGNORECASE
)
_OBJECT = re.compile(r"\{\s{0,40}\"")
_MAX_OBJECTS = 20
_TAG = re.compile(r"<(final[_-]?answer|answer|choice|letter|option)(?:\s[^<>]{0,100})?>([^<]{0,2000})(?:</\1\s?>|\Z)", re.IGNORECASE)
_BOX = re.compile(r"\\f?boxed\s?\{|<\|begin_of_box\|>")
_MAX_BOX, _MAX_REGIONS = 600, 40
_DENIES_BOX = re.compile(r"(?:\b(?:not|cannot|never|than)|n['’]t)(?: be)?(?: option)?[\s$*(\[:\\]{0,8}\Z", re.IGNORECASE)
_LATEX = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|bf|rm|boldsymbol)\b|\\[,;:! ]|~")
_BLOCKS = re.compile(
    r"</?(?:response|output|solution|final|result|div|p|br|code|root|reply|html|body)(?:\s[^<>]{0,200})?/?>", re.IGNORECASE
)
_PAIRED = re.compile(r"<(b|strong|em|i|u|span|mark)(?:\s[^<>]{0,200})?>([^<>]{0,2000})</\1\s?>", re.IGNORECASE)
# One alone may be a letter in the brackets of the pattern that was asked for: `Final answer: <B>`.
_INLINE = re.compile(r"</(?:b|i|u)\s?>|</?(?:strong|em|span)\s?>", re.IGNORECASE)


def regions(text: str, values: Values, *, cut: bool) -> tuple[list[Claim], str]:
    """The claims of the marked parts, and the text without them and without tags of HTML. A part of a cut text must be whole."""
    stripped = unfenced(text)
    if stripped[:1] in {"{", "["} and (decoded := _json(stripped)) is not None:
        return [Claim(0, len(text), letter, FINAL) for letter in _named(decoded, values)], ""
    found: list[Claim] = []
    text = _PAIRED.sub(r"\2", _PAIRED.sub(r"\2", _BLOCKS.sub("\n", text)))
    text = _INLINE.sub("", text).strip()
    for start, end, decoded in list(_objects(text)):
        found.extend(Claim(start, end, letter, FINAL) for letter in _named(decoded, values))
        text = _without(text, start, end)
    for pattern in (_PAIR, _TAG):
        matches = list(itertools.islice(pattern.finditer(text), _MAX_REGIONS + 1))
        if len(matches) > _MAX_REGIONS:
            raise CloudUnparsable("the cloud's reply claims too often to be an answer")
        for match in matches:
            letters = list(_match_letters(pattern, match, values))
            if cut and pattern is _TAG and not match[0].endswith(">"):
                letters = [UNCLEAR]
            if letters or pattern is _TAG:
                found.extend(Claim(match.start(), match.end(), letter, FINAL) for letter in letters)
                text = _without(text, match.start(), match.end())
    for start, end in list(_boxes(text)):
        if letter := UNCLEAR if _DENIES_BOX.search(text, max(0, start - 24), start) else _boxed(text[start:end], values):
            found.append(Claim(start, end, letter, FINAL))
        text = _without(text, start, end)
    return found, text


def _match_letters(pattern: re.Pattern[str], match: re.Match[str], values: Values) -> Iterator[str]:
    if pattern is _PAIR:
        yield _value(match[1] or match[2] or match[3] or "", values)
    elif inner := match[2].strip():
        whole = values.whole(inner)
        if whole is None:
            found = {claim.letter for claim in claims(inner, letters_as_latin(inner), values)}
            whole = found.pop() if len(found) == 1 else UNCLEAR
        yield whole


def _without(text: str, start: int, end: int) -> str:
    return text[:start] + _PLACEHOLDER * (end - start) + text[end:]


def unfenced(text: str) -> str:
    """The text without a code fence around the whole."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        text = re.sub(r"\A```\w{0,10}\s*", "", text)[:-3].strip()
    return text


def _json(text: str) -> Any:
    """The decoded JSON, or None; also where an object has one name twice, which decoders read as they please."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return None


def _objects(text: str) -> Iterator[tuple[int, int, Any]]:
    """The JSON objects in a text: where each begins and ends, and what it is."""
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    at = 0
    for _ in range(_MAX_OBJECTS):
        if not (begins := _OBJECT.search(text, at)):
            return
        at = begins.end()
        with contextlib.suppress(ValueError, RecursionError):
            decoded, at = decoder.raw_decode(text, begins.start())
            yield begins.start(), at, decoded


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    decoded = dict(pairs)
    if len(decoded) < len(pairs):
        raise ValueError("a name occurs twice")
    return decoded


def _named(decoded: Any, values: Values) -> Iterator[str]:
    """What stands under the names of an answer, at any depth; a value that is none is unclear."""
    if isinstance(decoded, list):
        for item in decoded:
            yield from _named(item, values)
    elif isinstance(decoded, dict):
        for key, value in decoded.items():
            plain = re.sub(r"[^a-z]", "", key[:40].lower())
            if _KEYS.match(plain):
                yield from _under(value, values)
            elif isinstance(value, dict | list):
                yield from _named(value, values)
            elif isinstance(value, str) and _TEXT_KEYS.match(plain) and (letter := values.texts.equal(value)):
                yield letter


def _under(value: Any, values: Values) -> Iterator[str]:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        named = list(_named(value, values))
        texts = [
            values.texts.equal(item) for key, item in value.items() if key.lower() in {"text", "value", "content"} and isinstance(item, str)
        ]
        yield from [*named, *(letter for letter in texts if letter)] or [UNCLEAR]
    elif isinstance(value, str):
        yield _value(value, values)
    else:
        yield (values.texts.equal(str(value)) if type(value) is int else None) or UNCLEAR


def _value(text: str, values: Values) -> str:
    return values.whole(text) or UNCLEAR


def _boxes(text: str) -> Iterator[tuple[int, int]]:
    at = number = 0
    while match := _BOX.search(text, at):
        number += 1
        if number > _MAX_REGIONS:
            raise CloudUnparsable("the cloud's reply claims too often to be an answer")
        if match[0].startswith("<"):
            end = text.find("<|end_of_box|>", match.end(), match.end() + _MAX_BOX)
            at = match.end() if end < 0 else end + len("<|end_of_box|>")
            yield match.start(), at
            continue
        depth, end = 1, match.end()
        for end in range(match.end(), min(len(text), match.end() + _MAX_BOX)):
            depth += (text[end] == "{") - (text[end] == "}")
            if not depth:
                break
        at = end + 1 if not depth else match.end()
        yield match.start(), at


def _boxed(box: str, values: Values) -> str | None:
    """What a box names: an option, several (unclear), or a value of the calculation (None)."""
    inner = box[box.find("{") + 1 : -1] if box.startswith("\\") else box[len("<|begin_of_box|>") : -len("<|end_of_box|>")]
    if letter := values.whole(inner) or values.texts.measured(inner):
        return letter
    plain = _LATEX.sub(" ", inner).replace("{", " ").replace("}", " ")
    if letter := values.whole(" ".join(plain.split())):
        return letter
    several = re.findall(r"(?<!\w)[A-Z](?!\w)", plain)
    return UNCLEAR if len(set(several)) > 1 and re.search(r"\b(?:or|and)\b|,", plain) else None
