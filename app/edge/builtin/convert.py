"""A GGUF file → a folder with bf16 safetensors, tokenizer and chat template, as transformers loads and saves them.

In a process of its own: it needs more memory than serving does, which this process would keep, and its libraries draw progress bars
into what may be a log.
"""

import os
import subprocess
import sys
from pathlib import Path

from app.core import interrupts
from app.core.errors import ConfigError

_ROOT = Path(__file__).parents[3]


def convert(name: str, gguf: Path, out: Path) -> None:
    """Convert a file whose content was checked.

    Args:
        name: name of the model, for messages.
        gguf: the file.
        out: folder to make.

    Raises:
        ConfigError: transformers cannot convert it, or not whole; or memory or disk space does not suffice.
    """
    # -P: nothing of the current folder is imported. This package may be imported from a checkout that is not installed.
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-P", "-m", "app.edge.builtin.convert", name, str(gguf), str(out)]
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment) as child,
        interrupts.ends_with_us(child),
    ):
        _, said = child.communicate()
    if child.returncode < 0:
        raise ConfigError(
            f"the builtin model {name} could not be converted (signal {-child.returncode} ended the process, as it does where memory does "
            "not suffice)"
        )
    if child.returncode:
        reason = (said.strip().splitlines() or ["no output"])[-1]
        raise ConfigError(f"the builtin model {name} could not be converted ({reason})")


def _convert(name: str, gguf: Path, out: Path) -> None:
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
    check_whole(f"the builtin model {name}", info)
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(out)
    for path in out.iterdir():
        # Weights are written 0600; a shared cache or an image that runs as another user must be able to read them.
        path.chmod(0o644)
        # Zeros after a loss of power would be served under the identity of the weights.
        with path.open("rb") as file:
            os.fsync(file.fileno())


if __name__ == "__main__":
    try:
        _convert(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    # Lack of memory, a full disk while weights are written, and a file that a version cannot read, as whatever four libraries throw.
    except Exception as error:  # noqa: BLE001
        sys.exit(f"{type(error).__name__}: {error}")
