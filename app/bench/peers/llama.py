"""llama.cpp behind the HTTP server of llama-cpp-python, with its cache of prompts; in bf16, and quantised as the builtin file is."""

from dataclasses import dataclass
from pathlib import Path

from app.bench.environments import ensure_environment
from app.bench.peers.gguf_bf16 import as_bf16
from app.bench.peers.protocol import PeerUnavailable, Place, Start, chat_ways, threads_of

_VERSION = "0.3.36"
_REQUIREMENT = f"llama-cpp-python[server]=={_VERSION}"
_CONTEXT = 4096


@dataclass(frozen=True)
class Llama:
    """llama.cpp's server.

    Attributes:
        quantised: whether it serves the file as it was published (4 bits), or its weights written out in bf16.
    """

    quantised: bool

    @property
    def name(self) -> str:
        """Its name, with what its weights are stored in."""
        return "llama-q4" if self.quantised else "llama-bf16"

    @property
    def about(self) -> str:
        """What it is."""
        return f"llama.cpp (server of llama-cpp-python {_VERSION}, prompt cache), {'4-bit weights' if self.quantised else 'bf16'}"

    def install(self, place: Place) -> Start:
        """Compile it, once, which takes minutes, and fetch its file.

        Raises:
            PeerUnavailable: there is no GGUF file, or FogGate computes on a GPU.
            InstallFailed: it cannot be compiled.
            ConfigError: the file cannot be fetched.
        """
        if place.gguf is None:
            raise PeerUnavailable("only builtin models come as a GGUF file")
        if place.gpu:
            raise PeerUnavailable("the package on PyPI is compiled for the CPU, and FogGate computes on a GPU")
        python = ensure_environment(place.environments, "llama", [_REQUIREMENT], say=place.say)
        file = self._file(place.gguf(), place)
        options = {
            "--model": str(file),
            "--model_alias": "model",
            "--host": "127.0.0.1",
            "--n_ctx": str(_CONTEXT),
            "--n_threads": str(place.threads),
            "--n_threads_batch": str(place.threads),
            "--cache": "true",
        }
        words = [word for pair in options.items() for word in pair]
        return Start(
            lambda port: [str(python), "-m", "llama_cpp.server", *words, "--port", str(port)],
            "/v1/models",
            chat_ways("model"),
            threads_of(place),
        )

    def _file(self, published: Path, place: Place) -> Path:
        if self.quantised:
            return published
        written = published.with_suffix(".bf16.gguf")
        if not written.exists():
            place.say(f"{self.name}: writing the weights of {published.name} in bf16, once")
            as_bf16(published, written)
        return written
