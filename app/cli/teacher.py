"""The configured cloud as a teacher, for `foggate label` and `foggate evolve`."""

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from app.cloud.build import build_cloud
from app.cloud.formats import instruction
from app.config.settings import CloudSettings, Settings
from app.core.cascade import Cloud
from app.core.prompt import PROMPT_VERSION
from app.telemetry.metrics import Metrics
from app.training.teacher import Teacher


def connect_teacher(settings: Settings) -> Teacher:
    """Return the configured cloud as a teacher."""

    @contextlib.asynccontextmanager
    async def connect() -> AsyncIterator[Cloud]:
        client = build_cloud(settings, Metrics(), offline=True)
        assert client is not None  # noqa: S101  # the caller has checked that a cloud is configured
        try:
            yield client
        finally:
            await client.close()

    return Teacher(connect, _teacher_identity(settings.cloud))


def _teacher_identity(cloud: CloudSettings) -> dict[str, Any]:
    """Return what decides about the teacher's answers (models, endpoints, prompt, request fields), without any secret."""
    spare = sorted(cloud.endpoints.items(), key=lambda pair: pair[1].priority)
    fields = cloud.extra_body if cloud.max_tokens is None else {"max_tokens": cloud.max_tokens, **cloud.extra_body}
    asked = [(cloud.model, cloud.base_url), *((endpoint.model or cloud.model, endpoint.base_url) for _, endpoint in spare)]
    return {
        "model": [model for model, _ in asked],
        "endpoint": [_without_credentials(url) for _, url in asked],
        "prompt_version": PROMPT_VERSION,
        # No endpoint is probed for `auto` here: it counts as text.
        "instruction": hashlib.sha256(instruction(cloud.answer_format if cloud.answer_format != "auto" else "text").encode()).hexdigest()[
            :12
        ],
        # Hashed, because its values may be secret.
        "extra_body": hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12],
    }


def _without_credentials(url: object) -> str:
    """Return scheme, host, port and path only: user names, passwords and queries may hold keys."""
    parts = urlsplit(str(url))
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path.rstrip('/')}"
