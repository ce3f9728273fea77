"""Logs: one record a line on standard error, ours and every library's alike, as JSON or as text for people.

A text of a caller or a library cannot begin a new line: control characters are escaped. Secrets are masked.
"""

import contextlib
import logging
import math
import sys
import threading
import traceback
import warnings
from collections.abc import Collection, MutableMapping, Sequence
from itertools import islice
from typing import Any, Literal, TextIO

import structlog

from app.config.masking import mask_text

LogFormat = Literal["auto", "json", "text"]

# Libraries that print their records in another form by handlers that they install when they are imported.
_WITH_HANDLERS = ("transformers", "huggingface_hub", "datasets", "torch", "accelerate", "peft")
# httpx2 logs one line per call with the URL, uvicorn its lifecycle: useful only while a problem is being looked for.
NOISY = ("httpx2", "httpcore2", "urllib3", "filelock", "huggingface_hub", "asyncio")
# A record is bounded: some libraries put whole tensors or documents into a message.
_MAX_TEXT, _MAX_EXCEPTION = 8_192, 65_536
# Of a list or a mapping: its entries, and how deep they are looked at (one may hold itself).
_MAX_PARTS, _MAX_DEPTH = 100, 4
# Set by callers or by us, and needed whole to find the other lines of a request.
_IDENTIFIERS = frozenset({"request_id", "trace_id", "span_id", "timestamp", "level", "logger"})
# Control characters, line and paragraph separators, and marks that turn the direction of what is shown.
_CONTROL = {
    *range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF,
}  # fmt: skip
_NAMED = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"}
_ESCAPES = {code: _NAMED.get(code, f"\\u{code:04x}") for code in _CONTROL}


def configure_logging(level: str, form: LogFormat = "auto", secrets: Collection[str] = ()) -> None:
    """Send everything through structlog. Called once by a composition root.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        form: `json`, `text`, or `auto`: text where standard error is a terminal, else JSON.
        secrets: values that must not be shown, wherever they turn up (`app.config.masking.secrets_in`).
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.StackInfoRenderer(),
    ]
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    rendering: list[structlog.types.Processor] = [structlog.processors.EventRenamer("message"), _CLEAN, _text_line if text else _json_line]
    handler = RecordHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            _Straight(handler, rendering),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.getLogger().handlers = [handler]
    reconfigure(level, secrets)
    adopt_libraries()
    warnings.showwarning = _show_warning
    # Hooks that others have installed (a test runner, a debugger) stay.
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _thread_ended
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _unraisable


def reconfigure(level: str, secrets: Collection[str]) -> None:
    """Change what is logged, from this level on (of noisy libraries from `warning` on), and what is masked in it."""
    # The longest first: one secret may be a part of another.
    _CLEAN.secrets = tuple(sorted(secrets, key=len, reverse=True))
    root = logging.getLogger()
    root.setLevel(level.upper())
    for handler in root.handlers:
        if isinstance(handler, RecordHandler):
            handler.setLevel(level.upper())
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def adopt_libraries() -> None:
    """Let the records of libraries that install handlers go through ours only; called again after their import."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _WITH_HANDLERS:
            logger = logging.getLogger(name)
            logger.handlers = [handler for handler in logger.handlers if not _prints(handler)]
            logger.propagate = True


def _prints(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)


class RecordHandler(logging.StreamHandler[TextIO]):
    """Writes to standard error; a record that cannot be formatted is reported as a record, not as a traceback of the logging module."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the hook's name
        """Write which logger and which template failed."""
        error = sys.exception()
        if isinstance(error, OSError | ValueError) and getattr(self.stream, "closed", False):
            return
        if error is None or getattr(record, "is_report", False):
            return
        report = logging.LogRecord(
            record.name, logging.ERROR, record.pathname, record.lineno, "a log record could not be written (%s)", (repr(error)[:200],), None
        )
        report.is_report = True
        self.emit(report)


class _Straight:
    """Writes a record of ours where the logging module would: what that does in between takes as long as all the rest.

    Where another handler wants records too, or something goes wrong, the record takes the way through the logging module.

    Args:
        handler: the handler that would write it.
        rendering: makes the line of a record.
    """

    def __init__(self, handler: RecordHandler, rendering: Sequence[structlog.types.Processor]) -> None:
        self._handler = handler
        self._rendering = rendering
        self._root = logging.getLogger()

    def __call__(self, logger: Any, name: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if self._root.handlers != [self._handler] or logger.handlers or not logger.propagate:
            return record
        try:
            line: Any = dict(record)
            for step in self._rendering:
                line = step(logger, name, line)
            with self._handler.lock or contextlib.nullcontext():
                self._handler.stream.write(f"{line}\n")
                self._handler.flush()
        except Exception:  # noqa: BLE001  # the handler reports it
            return record
        raise structlog.DropEvent


class _Clean:
    """Masks secrets and bounds texts, in every value of a record."""

    def __init__(self) -> None:
        self.secrets: tuple[str, ...] = ()

    def __call__(self, _: Any, __: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: value if key in _IDENTIFIERS else self._clean(value, key) for key, value in record.items()}

    def _clean(self, value: Any, key: str, depth: int = 0) -> Any:
        if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        if isinstance(value, dict | list | tuple) and depth == _MAX_DEPTH:
            return "…"
        if isinstance(value, dict):
            return {str(name): self._clean(part, key, depth + 1) for name, part in islice(value.items(), _MAX_PARTS)}
        if isinstance(value, list | tuple):
            more = [f"… ({len(value) - _MAX_PARTS} more)"] if len(value) > _MAX_PARTS else []
            return [self._clean(part, key, depth + 1) for part in value[:_MAX_PARTS]] + more
        text = value if isinstance(value, str) else str(value)
        longest = _MAX_EXCEPTION if key in {"exception", "stack"} else _MAX_TEXT
        # Bounded before it is searched: what is left out is not shown, so it need not be masked.
        omitted = len(text) - longest
        return mask_text(text[:longest], self.secrets) + (f"… ({omitted} more characters)" if omitted > 0 else "")


# One per process, as logging is.
_CLEAN = _Clean()


def _json_line(logger: Any, name: str, record: MutableMapping[str, Any]) -> str:
    """One JSON object; characters that some readers take for the end of a line are escaped as JSON has it."""
    line = structlog.processors.JSONRenderer(ensure_ascii=False)(logger, name, record)
    return str(line).translate(_ESCAPES)


def _text_line(_: Any, __: str, record: MutableMapping[str, Any]) -> str:
    """`2026-01-31T12:00:00Z WARNING foggate.cloud message key=value`; a traceback follows, each of its lines indented."""
    moment = str(record.pop("timestamp", ""))[:19] + "Z"
    level, source = str(record.pop("level", "")).upper(), record.pop("logger", "")
    below = [str(record.pop(key)) for key in ("exception", "stack") if record.get(key)]
    head = [moment, f"{level:<7}", _escaped(source), _escaped(record.pop("message", ""))]
    head += [f"{_escaped(key)}={_shown(value)}" for key, value in record.items() if value is not None]
    lines = [line.translate(_ESCAPES) for text in below for line in text.splitlines()]
    return "\n    | ".join([" ".join(head), *lines])


def _escaped(value: Any) -> str:
    return str(value).translate(_ESCAPES)


def _shown(value: Any) -> str:
    """A value behind its key: quoted where it would not be one word."""
    text = _escaped(value)
    return text if text and not set(text) & set(" \"'=") else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _show_warning(  # noqa: PLR0917  # the hook's signature
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
) -> None:
    """Replaces `warnings.showwarning`, which prints two lines in another form."""
    if file is not None:
        file.write(warnings.formatwarning(message, category, filename, lineno, line))
        return
    structlog.get_logger("py.warnings").warning(str(message), category=category.__name__, location=f"{filename}:{lineno}")


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is SystemExit or ended.exc_value is None:
        return
    thread = ended.thread.name if ended.thread else None
    structlog.get_logger("foggate").error("a thread ended with an unexpected error", thread=thread, exc_info=ended.exc_value)


def _unraisable(raised: Any) -> None:
    what = "".join(traceback.format_exception_only(raised.exc_type, raised.exc_value)).strip()
    structlog.get_logger("foggate").error(
        "an error could not be raised", reason=what, where=raised.err_msg or "", object=repr(raised.object)[:200]
    )
