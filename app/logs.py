"""Structured logs: one JSON object a line on standard error, ours and every library's alike."""

import logging
import sys

import structlog


def configure_logging(level: str) -> None:
    """Send everything through structlog. Called once by a composition root."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.EventRenamer("message"),
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.getLogger().handlers = [handler]
    set_level(level)


def set_level(level: str) -> None:
    """Change what is logged: from this level on, of noisy libraries from `warning` on."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    # httpx2 logs a line per call with the URL, uvicorn its lifecycle: of interest when something is being looked for.
    for noisy in ("httpx2", "httpcore2", "urllib3", "filelock", "huggingface_hub", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
