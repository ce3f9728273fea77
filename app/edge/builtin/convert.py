"""A GGUF file → a folder with bf16 safetensors, tokenizer and chat template, as transformers loads and saves them."""

import os
from pathlib import Path

from app.core.errors import ConfigError, first_line


def convert(name: str, gguf: Path, out: Path) -> None:
    """Convert a file whose content was checked.

    Args:
        name: name of the model, for messages.
        gguf: the file.
        out: folder to make.

    Raises:
        ConfigError: transformers cannot convert it, or not whole.
        OSError: the folder cannot be written.
    """
    # Imported here: finding an already converted model must not cost the import of transformers.
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from app.edge.weights import check_whole

    transformers.logging.disable_progress_bar()
    try:
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
    except ConfigError:
        raise
    # Lack of memory, a full disk while weights are written, and a file that a version cannot read, as whatever four libraries throw.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ConfigError(f"the builtin model {name} could not be converted ({first_line(error)})") from error
    for path in out.iterdir():
        # Weights are written 0600; a shared cache or an image that runs as another user must be able to read them.
        path.chmod(0o644)
        # Zeros after a loss of power would be served under the identity of the weights.
        with path.open("rb") as file:
            os.fsync(file.fileno())
