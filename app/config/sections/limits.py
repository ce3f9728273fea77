"""Bounds on what callers send, and where calls are counted."""

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from app.config.sections.base import Positive, Seconds, Section, setting


def _checked_store(store: str) -> str:
    """Raises PydanticCustomError, without the value: it may hold a password."""
    if store != "memory://" and not (store.startswith(("redis://", "rediss://")) and store.partition("://")[2]):
        raise PydanticCustomError("store", "write memory://, redis://host:6379/0 or rediss://host:6379/0")
    return store


class LimitsSettings(Section):
    max_body_bytes: Positive = setting(
        1_048_576,
        "Largest body of a request, in bytes; a larger one gets 413. For a body compressed with gzip or deflate the limit holds both as "
        "it is sent and decompressed.",
    )
    max_text_chars: Positive = setting(20_000, "Most characters of one question with its options.")
    max_questions: Positive = setting(
        256,
        "Most questions in one `/v1/answers`. A body with more JSON values than 40 for each question and 40 more gets 422.",
    )
    batch_concurrency: Positive = setting(
        32,
        "Questions of one batch that are asked of the cloud at the same time; while there are so many, no further question of the batch "
        'begins (docs/configuration.md, "Admission").',
    )
    body_timeout_s: Seconds = setting(10.0, "Seconds that a request may take to send its body; a slower one gets 408.")
    header_timeout_s: Seconds = setting(10.0, "Seconds that a request may take to send its head; a slower connection is closed.")
    max_header_bytes: Positive = setting(32_768, "Largest head of a request, in bytes; a larger one gets 400 and its connection is closed.")
    max_connections_per_client: Positive = setting(
        512,
        "Open connections of one client address; one more is closed at once. Behind a proxy the client address is the proxy's.",
    )
    store: Annotated[str, AfterValidator(_checked_store)] = setting(
        "memory://",
        "Where budgets and rates are counted: `memory://` in each process, `redis://host:6379/0` for all replicas together (needs "
        "`foggate[redis]`). While Redis is unavailable each process counts alone.",
    )
