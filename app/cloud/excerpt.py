"""A bounded part of what an endpoint says about its error, for the log: without keys and without words of the question.

An endpoint may repeat both, whole or in part, escaped or not. So a word is left out if the question contains it, unless it is common
in error messages; three such common words in a row are left out too if the question contains them in a row. What looks like a key is
always left out.
"""

import html
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from app.core.strict_json import loads

_MAX_READ, _MAX_SHOWN, _MAX_TYPE = 600, 200, 60
_MAX_VALUES, _MAX_BODY = 1_000, 65_536
_KEY_PART, _LONGEST_WORD, _SHORT = 6, 32, 2
_HIDDEN = "…"
_TAG = re.compile(r"<[^<>]*>?")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_PIECE, _WORD = re.compile(r"\s+|\w+|[^\w\s]+"), re.compile(r"\w+")
_GAPS = re.compile(rf"{_HIDDEN}(?:[^\w{_HIDDEN}]*{_HIDDEN})+")
# Words that are common in error messages, and that alone reveal nothing about a question.
_USUAL_WORDS = """
a access account active after all allowed an and api are argument at authentication authorization available back bad balance be been
billing body by can cannot check choice choices client code completion completions connection content context could credits current
currently deployment details did do does due endpoint error exceeded exist exists expected expired failed field for format found free
from has have header http in incorrect input insufficient internal invalid is it json key later length limit limited limits many max
maximum message messages method min minute missing model models must name no not null object of on one only or org organization out
overloaded parameter path payment per permission permitted plan please prompt property provided quota rate reached region request
requested requests required resource response retry schema seconds see server service should status string structured supported
temperature than that the this time timeout to token tokens too try type unauthorized unavailable unexpected unknown unrecognized
unsupported upstream url usage use user using valid value was what with you your
"""
_USUAL = frozenset(_USUAL_WORDS.split())


def excerpt_of(body: bytes, *, secrets: Sequence[str], texts: Sequence[str]) -> str:
    """Type and message of the error in a reply's body, at most some 260 characters on one line; empty if it says nothing.

    Args:
        body: as it came; JSON in one of the usual forms, HTML or plain text.
        secrets: keys and values of headers that were sent.
        texts: what was asked.
    """
    try:
        payload = loads(body[:_MAX_BODY], max_values=_MAX_VALUES)
    except ValueError:
        # In UTF-16 every letter would be separate, and no word would be recognised.
        payload = _TAG.sub(" ", body[: 4 * _MAX_READ].replace(b"\0", b"").decode(errors="replace"))
    return excerpt_of_payload(payload, secrets=secrets, texts=texts)


def excerpt_of_payload(payload: Any, *, secrets: Sequence[str], texts: Sequence[str]) -> str:
    """As `excerpt_of`, of decoded JSON."""
    kind, message = (_clean(part[:_MAX_READ], secrets, texts) for part in _fields(payload))
    shown = ": ".join(part for part in (_cut(kind, _MAX_TYPE), _cut(message, _MAX_SHOWN)) if part)
    return shown if shown.strip(f"{_HIDDEN} :") else ""


def _fields(payload: Any) -> tuple[str, str]:
    """Type (or code) and message, from the places where endpoints usually write them."""
    error = payload[0] if isinstance(payload, list) and payload else payload
    for name in ("error", "detail"):
        if isinstance(error, Mapping) and isinstance(error.get(name), (Mapping, str, list)):
            error = error[name]
            error = error[0] if isinstance(error, list) and error else error
    if isinstance(error, str):
        return "", error
    if not isinstance(error, Mapping):
        return "", ""
    kind = next((str(error[name]) for name in ("type", "code", "status") if isinstance(error.get(name), (str, int))), "")
    message = next((error[name] for name in ("message", "msg", "error_description", "title") if isinstance(error.get(name), str)), "")
    return kind, message


def _clean(text: str, secrets: Sequence[str], texts: Sequence[str]) -> str:
    """The text without parts of the secrets and of what was asked; escapes are undone before the comparison."""
    text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), html.unescape(unquote(text)))
    for escape in ("\\r", "\\n", "\\t", '\\"', "\\'", "\\/"):
        text = text.replace(escape, " ")
    text = "".join(sign if sign.isprintable() else " " for sign in unicodedata.normalize("NFC", text))
    text = " ".join(_HIDDEN if _is_secret(word, secrets) else word for word in text.split())
    pieces = _PIECE.findall(text)
    forms = {at: _form(piece) for at, piece in enumerate(pieces) if piece[0].isalnum() or piece[0] == "_"}
    asked = " ".join(_WORD.findall(_form("\n".join(texts))))
    hidden = {at for at, form in forms.items() if _is_asked(form, asked)}
    words = list(forms)
    for run in zip(words, words[1:], words[2:], strict=False):
        if f" {' '.join(forms[at] for at in run)} " in f" {asked} ":
            hidden.update(run)
    return _GAPS.sub(_HIDDEN, "".join(_HIDDEN if at in hidden else piece for at, piece in enumerate(pieces)))


def _form(text: str) -> str:
    """A form in which texts are compared: no case, no accents, no compatibility characters. Linear, unlike normalising runs of marks."""
    plain = "".join(sign for sign in text if not unicodedata.combining(sign))
    return "".join(sign for sign in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(sign)).casefold()


def _is_asked(word: str, asked: str) -> bool:
    if len(word) > _LONGEST_WORD:
        return True
    return word not in _USUAL and (len(word) > _SHORT or not word.isascii()) and word in asked


def _is_secret(word: str, secrets: Sequence[str]) -> bool:
    """Whether a word holds a part of a secret, or is masked or shaped as keys are."""
    if "**" in word or "sk-" in word.lower() or (len(word) > _LONGEST_WORD and "/" not in word):
        return True
    parts = _WORD.findall(word)
    windows = [word[at : at + _KEY_PART] for at in range(len(word) - _KEY_PART + 1)]
    return any(secret in parts if len(secret) < _KEY_PART else any(window in secret for window in windows) for secret in secrets if secret)


def _cut(text: str, most: int) -> str:
    text = text.strip()
    return text if len(text) <= most else text[: most - 1].rstrip() + _HIDDEN
