"""What people may see of a configuration, a message or a log line: secrets are recognised by the type of a setting and by their shape.

No list of names is complete, so the rules err on the side of masking: whatever stands before the `@` of a URL, every value of
its query that is not a version or a number, every text under a name that the user chooses (a header), and in free-form bodies every
text that is not a plain word.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

from app.config.tree import Kind, kind_of

MASK = "********"

_SECRET_NAME = re.compile(
    r"key(?!board|word)|token(?!s|iz)|secret|passw|pwd|passphrase|credential|cred$|auth|signature|^sig$|cookie|session|bearer",
    re.IGNORECASE,
)
# A query's harmless values: numbers, versions, dates with or without a suffix such as -preview, and yes or no.
_HARMLESS = re.compile(r"v?\d{1,4}(\.\d{1,4}){0,3}|\d{4}-\d{2}-\d{2}(-[a-z]{1,10})?|true|false", re.IGNORECASE)
_PLAIN_WORD = re.compile(r"[a-z][a-z_]{0,23}")
# Tokens that providers mark as theirs, JSON web tokens, API keys of this gateway, and what follows the name of an authentication scheme.
_MARKED = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|pplx|nvapi|glpat|xox[a-z])[-_][A-Za-z0-9_.-]{8,}"
    r"|\b(?:hf|gh[pousr]|github_pat|r8)_[A-Za-z0-9_]{16,}"
    r"|\bfg_[0-9a-f]{12}_[A-Za-z0-9_-]{20,}"
    r"|\b(?:AIza|AKIA|ASIA|ya29\.|eyJ)[A-Za-z0-9_.=-]{12,}"
    r"|(?i:(?<=\bBearer )[^\s\"',;]{4,}|(?<=\bBasic )(?=[A-Za-z+/]{0,60}[0-9=])[A-Za-z0-9+/=]{8,})"
)
# `api_key=…` or `'api_key': '…'` in a text. A colon alone is the punctuation of a sentence about a setting.
_ASSIGNED = re.compile(
    r"((?:key|token|secret|password|passwd|pwd|signature|sig)(?:[\"']\s{0,3}:\s{0,3}[\"']|\s{0,3}=\s{0,3}[\"']?))([^\s\"',;&]{3,})",
    re.IGNORECASE,
)
_RUN = re.compile(r"[A-Za-z0-9]{28,}")
_MIN_DIGITS = 3
# `key=abc`.
_MIN_FOUND = 7
_MIN_KNOWN = 5


def mask_url(url: str) -> str:
    """A URL without what may be secret in it: user information, values of its query, its fragment, secret-shaped pieces of its path.

    Everything up to the last `@` is user information, so that a password with `/`, `#` or `?` in it, which makes no valid URL, is
    masked too.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    before, at, rest = rest.rpartition("@")
    rest, hash_sign, fragment = rest.partition("#")
    rest, question, query = rest.partition("?")
    path = "/".join(MASK if _looks_random(piece) or _MARKED.fullmatch(piece) else piece for piece in rest.split("/"))
    shown = scheme + separator + (MASK + at if before or at else "") + path
    if question:
        shown += question + "&".join(_query_part(part) for part in query.split("&"))
    return shown + (hash_sign + MASK if fragment else "")


def mask_text(text: str, known: Iterable[str] = ()) -> str:
    """A message or a log line with everything masked that is a known secret or has the shape of one.

    Its time is linear in the length of the text.

    Args:
        text: any text.
        known: values of secrets, as `secrets_in` finds them.
    """
    for secret in known:
        text = text.replace(secret, MASK)
    if "://" in text:
        text = re.sub(r"\S+", lambda run: _mask_run(run[0]), text)
    # Most values of a log line are shorter than anything that the patterns find, and a line is written for every request.
    if len(text) < _MIN_FOUND:
        return text
    text = _MARKED.sub(MASK, text)
    if "=" in text or ":" in text:
        text = _ASSIGNED.sub(rf"\g<1>{MASK}", text)
    return _RUN.sub(lambda run: MASK if _looks_random(run[0]) else run[0], text)


def mask_model(model: BaseModel) -> dict[str, Any]:
    """Settings as plain data for people: what is a secret by its type is masked whole, every other text by its shape."""
    return {name: _masked(kind, value) for kind, name, value in _fields(model)}


def _fields(model: BaseModel) -> Iterable[tuple[Kind, str, Any]]:
    declared = type(model).model_fields
    return ((kind_of(declared[name])[0], name, value) for name, value in model)


def _masked(kind: Kind, value: Any) -> Any:
    """The value of a setting of this kind."""
    if isinstance(value, BaseModel):
        return mask_model(value)
    if kind is Kind.TEXTS and isinstance(value, Mapping):
        return dict.fromkeys(value, MASK)
    if kind is Kind.FREE:
        return mask_free("", value)
    if isinstance(value, Mapping):
        return {mask_text(str(key)): _masked(Kind.VALUE, part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(Kind.VALUE, part) for part in value]
    return _masked_leaf(value)


def _masked_leaf(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, Path):
        return str(value)
    text = str(value)
    return mask_url(text) if "://" in text else mask_text(text)


def mask_free(name: str, value: Any) -> Any:
    """A piece of a free-form body: numbers and plain lower-case words are shown, other texts are masked.

    Args:
        name: name of the piece in the body; one that suggests a secret masks numbers and words too.
        value: the piece.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {
            mask_text(str(key)): MASK if _is_leaf(part) and _SECRET_NAME.search(str(key)) else mask_free(str(key), part)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [mask_free(name, part) for part in value]
    if _SECRET_NAME.search(name):
        return MASK
    if isinstance(value, int | float):
        return value
    return value if _PLAIN_WORD.fullmatch(str(value)) else MASK


def secrets_in(settings: BaseModel) -> set[str]:
    """The values of all secrets in the settings. Short values and plain words are left out: they would be found everywhere."""
    return {secret for secret in _secrets(Kind.SECTION, settings) if len(secret) >= _MIN_KNOWN and not _PLAIN_WORD.fullmatch(secret)}


def _secrets(kind: Kind, value: Any) -> Iterable[str]:
    if isinstance(value, BaseModel):
        for part_kind, _, part in _fields(value):
            yield from _secrets(part_kind, part)
    elif isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _secrets(kind, part)
    elif value is not None:
        yield from _secrets_of_leaf(kind, value)


def _secrets_of_leaf(kind: Kind, value: Any) -> Iterable[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value().strip()
        return
    text = str(value)
    if kind is Kind.TEXTS:
        yield text.strip()
        # `Bearer …`: the part behind it alone may appear elsewhere.
        yield text.rpartition(" ")[2]
    elif kind is Kind.FREE and isinstance(value, str):
        yield text
    if "://" in text:
        yield from _secrets_of_url(text)


def _secrets_of_url(url: str) -> Iterable[str]:
    user, at, rest = url.partition("://")[2].rpartition("@")
    if at:
        yield from (user, user.partition(":")[2])
        # Libraries show what they have decoded.
        yield unquote(user.partition(":")[2])
    rest, _, fragment = rest.partition("#")
    yield fragment
    for part in rest.partition("?")[2].split("&"):
        if _query_part(part).endswith(MASK):
            yield part.partition("=")[2]
            yield unquote(part.partition("=")[2])


def _query_part(part: str) -> str:
    name, equals, value = part.partition("=")
    if not equals:
        return name if _PLAIN_WORD.fullmatch(name) or not name else MASK
    shown = _HARMLESS.fullmatch(value) and not _SECRET_NAME.search(name)
    return part if shown or not value else f"{name}={MASK}"


def _mask_run(run: str) -> str:
    """A run without blanks, which may hold a URL with quotes or brackets around it."""
    start = run.find("://")
    if start < 0:
        return run
    # What closes a sentence or a pair around the URL is no part of it.
    end = len(run.rstrip(".,;:!)]}>'\""))
    return mask_url(run[:end]) + run[end:] if end > start else run


def _is_leaf(value: Any) -> bool:
    return value is not None and not isinstance(value, bool | Mapping)


def _looks_random(piece: str) -> bool:
    """Whether a piece of text is long and mixes cases and digits, as keys do and words, numbers and hashes do not."""
    if not _RUN.fullmatch(piece):
        return False
    digits = sum(character.isdigit() for character in piece)
    return digits >= _MIN_DIGITS and piece.lower() != piece and piece.upper() != piece
