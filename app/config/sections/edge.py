"""The edge model: which one, where it computes, how questions wait for it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from app.config.sections.base import AutoOrOff, Positive, Section, Share, setting


class EdgeSettings(Section):
    model: str = setting(
        "builtin",
        "`builtin` (SmolLM2-135M-Instruct with the shipped adapter, or with `edge.adapter`), `builtin-base` (the same model without an "
        'adapter), `builtin-1.5b` (Qwen2.5-Coder-1.5B-Instruct, which knows more and needs more: docs/deployment.md, "The larger '
        'builtin model"), a Hugging Face id such as `issai/foggen` or `issai/foggen-gemma3-1b`, or a folder.',
    )
    adapter: str | None = setting(
        None,
        "LoRA adapter, a Hugging Face id or a folder, which is merged into the model at start; null: none. It is applied whole or "
        'refused at start (docs/configuration.md, "Adapters").',
    )
    prompt_family: Literal["auto", "qwen", "gemma", "llama", "plain"] = setting(
        "auto",
        "Wording of the system prompt; `auto` follows the model; `plain` is one without rules, for models that nobody trained to write a "
        'confidence (docs/configuration.md, "Which models").',
    )
    device: str = setting(
        "auto",
        "`cpu`, `cuda`, `cuda:1` and so on; `auto` takes CUDA where there is one. A device on which this torch cannot compute is an error "
        "at start.",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = setting(
        "auto",
        "Type of the weights. `auto` is bfloat16 where the hardware multiplies it natively (NVIDIA from Ampere on, AMD MI100 and later or "
        "RDNA 3, processors with AVX512_BF16 or AMX), otherwise float32.",
    )
    threads: Annotated[int, Field(ge=0)] = setting(
        0,
        "Threads of the forward pass; 0: as many as the cores that this process may use (affinity and container quota). "
        'See docs/configuration.md, "Threads".',
    )
    wait_policy: Literal["brief", "passive", "active"] = setting(
        "brief",
        "What threads do while they wait for each other: `active` keeps spinning, `brief` spins about 1,000 turns and then sleeps, "
        '`passive` sleeps at once (docs/configuration.md, "Threads").',
    )
    max_batch_size: Positive | Literal["auto"] = setting(
        "auto",
        "Most questions that are read together. `auto`: as many as the device gains from, 4 on a CPU for each pass side by side and 64 on a "
        'GPU (docs/experiments.md, "Making the one pass faster").',
    )
    side_by_side: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = setting(
        "auto",
        "Forward passes that a CPU computes at the same time when questions wait, each with a part of them and with its share of the threads. "
        '`auto`: 2 where there are two threads or more; 1: one pass with all threads (docs/configuration.md, "Threads"). A question that is alone '
        "has all threads in any case. A GPU computes one.",
    )
    max_batch_tokens: Positive | Literal["auto"] = setting(
        "auto",
        "Most prompt tokens that are read together: the number of questions times the longest one, so padding is included. `auto`: 8192 on a "
        "CPU and 16384 on a GPU, where 64 questions of 256 tokens fit in.",
    )
    max_padding_share: Share = setting(
        0.1,
        "Largest share of padding in one forward pass, where prompts are padded to the longest one: with models whose attention cannot be "
        'computed in parts (docs/configuration.md, "Batches"). 1 lets questions of any lengths share one.',
    )
    max_queue_size: Positive | Literal["auto"] = setting(
        "auto",
        "Single questions that may wait; one more gets 429. `auto`: 32 times as many as are read together, but at least 128, so 256 "
        'on a CPU with two threads or more and 2048 on a GPU. Questions of batches wait elsewhere (docs/configuration.md, "Admission").',
    )
    max_prompt_tokens: Positive = setting(2048, "Longest prompt, in tokens; a longer one gets 422. The model's own limit applies too.")
    permute: Annotated[int, Field(ge=1, le=26)] = setting(
        1,
        "Number of orders of the options in which a question is read whose signal is just below tau; 1: only as it was asked. More than 1 "
        'needs a calibration that was made with this rule (docs/evaluation.md, "Reading again in another order").',
    )
    share_prefix: bool = setting(True, "Compute the keys and values of the system prompt once and use them for every question.")
    graphs: AutoOrOff = setting(
        "auto",
        'Whether forward passes on a GPU are recorded at start as CUDA graphs and replayed (docs/deployment.md, "GPUs"). `auto` does so '
        "where attention can be computed in parts.",
    )
    compile: AutoOrOff = setting(
        "auto",
        "Whether the layers are compiled by torch at start, on a GPU: `auto` does so, which takes 7 to 20 seconds before the gateway is ready "
        "and makes recorded passes nearly twice as fast (docs/experiments.md).",
    )
    pass_columns: Positive = setting(
        8192, "Most tokens in one forward pass on a GPU, padding and answer tokens included; a larger batch is read in several passes."
    )
    cache_dir: Path | None = setting(
        None,
        "Folder of converted builtin models, of prepared weights and of the proofs that were made; null: `$XDG_CACHE_HOME/foggate` or "
        "`~/.cache/foggate`.",
    )
    prepared_gb: Annotated[float, Field(ge=0, allow_inf_nan=False)] = setting(
        4.0,
        "Most disk space in `cache_dir`, in GB, for prepared weights (adapter merged, in the type of this machine), from which later starts "
        "are faster and need less memory; those used longest ago are removed. A model that needs more is prepared at every start; 0: all "
        'are (docs/deployment.md, "Prepared weights").',
    )
