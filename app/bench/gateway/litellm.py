"""LiteLLM's proxy as a peer: installed into an environment of its own, never imported, and served in one process."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from app.bench.environments import ensure_environment
from app.bench.gateway.mock import MODEL
from app.bench.processes import Server, serving

# The newest version whose extra `proxy` could be installed from PyPI when this was written: 1.110.2 asks for a package
# litellm-proxy, which is not there.
VERSION = "1.108.7"

_CONFIG = """\
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: {cloud}/v1
      api_key: none
"""
# What its documentation recommends for production, and no key, as the gateway has none here: a key would cost it time.
_VARIABLES = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    # The list of prices comes with the package; otherwise it is fetched from the internet at start.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}


def ready_environment(folder: Path, say: Callable[[str], None]) -> Path:
    """Install it, unless it is there already; returns the environment's Python. Raises InstallFailed."""
    return ensure_environment(folder, "litellm", [f"litellm[proxy]=={VERSION}"], say=say)


@contextlib.contextmanager
def serving_litellm(python: Path, cloud: str, logs: Path, *, environment: Mapping[str, str]) -> Iterator[Server]:
    """Run it in front of a cloud.

    Args:
        python: Python of its environment.
        cloud: address of the cloud, without `/v1`.
        logs: folder for its output and its configuration.
        environment: further variables.

    Raises:
        ServerFailed: it cannot be started.
    """
    config = logs / "litellm.yaml"
    config.write_text(_CONFIG.format(model=MODEL, cloud=cloud), encoding="utf-8")

    def command(port: int) -> list[str]:
        program = str(python.with_name("litellm"))
        return [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]

    # Its packages are those of its environment only.
    variables = {**_VARIABLES, "PYTHONPATH": "", **environment}
    with serving(
        "LiteLLM's proxy", command, ready="/health/liveliness", log=logs / "litellm.log", environment=variables, folder=logs
    ) as server:
        yield server
