"""Write the edge model so that plain transformers code runs it, with a quick demo like that of FogGen's model cards."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import ConfigError
from app.core.question import Question
from app.edge.foggen import mark
from app.edge.rendering import Renderer

if TYPE_CHECKING:
    from app.edge.loader import LoadedModel

# The builtin model answers it correctly and is confident.
EXAMPLE = Question("Which fraction equals 0.75?", ("2/3", "7/10", "4/5", "3/4"))
_SCRIPT = """\
# Needs: pip install torch transformers. The chat template, greedy decoding, 64 new tokens; nothing of FogGate.
from pathlib import Path
from transformers import AutoModelForCausalLM, AutoTokenizer

here = Path(__file__).parent
tokenizer, model = AutoTokenizer.from_pretrained(here), AutoModelForCausalLM.from_pretrained(here)
messages = {messages}
print(messages[-1]["content"], end="\\n\\n")
prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)
inputs = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
output = model.generate(**inputs, max_new_tokens=64, do_sample=False)
print(tokenizer.decode(output[0, inputs.input_ids.shape[1]:], skip_special_tokens=True))
"""


def export_model(out: Path, load: Callable[[], "LoadedModel"], *, trained: bool = False) -> None:
    """Write model (adapter merged), tokenizer, chat template and `quick_demo.py` into a new folder.

    Args:
        out: the folder.
        load: loads the model.
        trained: whether the model was trained to write its confidence, which the folder will say.

    Raises:
        ConfigError: the folder exists and is not empty, cannot be written, or the model cannot be loaded.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists already and is not an empty folder")
    loaded = load()
    # A half-written export is never seen under its name.
    scratch = out.with_name(out.name + ".partial")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        loaded.model.save_pretrained(scratch)
        if trained:
            mark(scratch)
        loaded.tokenizer.save_pretrained(scratch)
        messages = Renderer(loaded.tokenizer, loaded.family).messages(EXAMPLE)
        (scratch / "quick_demo.py").write_text(_SCRIPT.format(messages=messages), encoding="utf-8")
        if out.exists():
            out.rmdir()
        scratch.rename(out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror})") from error
