"""Where an edge model computes and in which dtype; what a device cannot do ends in one sentence for a person."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from app.core.errors import ConfigError, first_line

# NVIDIA cards multiply bf16 from Ampere on; Turing (T4, 7.5) and Volta (V100, 7.0) emulate it.
_AMPERE = 8
# AMD cards that multiply bf16: MI100, MI200 and MI300, and RDNA 3 and later. Older ones emulate it.
_AMD_NATIVE = ("gfx908", "gfx90a", "gfx94", "gfx95", "gfx11", "gfx12")
# Questions of one length in a forward pass, beyond which there were no more of them a second (docs/experiments.md, "Making the one pass
# faster"). A GPU is filled by thousands of tokens; `edge.max_batch_tokens` bounds it too.
_USEFUL_ON_CPU, _USEFUL = 4, 64
# How torch and its backends word a lack of memory where they do not raise torch.OutOfMemoryError.
_NO_MEMORY = ("out of memory", "allocate memory", "alloc_cpu", "not enough memory", "cannot allocate")


def resolve_device(device: str) -> torch.device:
    """`auto`, or a device by torch's name, proven by one addition on it. The process then computes there as this project measures it.

    Raises:
        ConfigError: torch does not know it, was not built for it, or does not see it.
    """
    # On Hopper and Blackwell torch prefers the attention of cuDNN, which builds a plan of 20 to 40 ms for each new combination of batch and
    # lengths: questions have any length. The other kernels need no plan.
    torch.backends.cuda.enable_cudnn_sdp(False)
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        where = torch.device(device)
    except RuntimeError:
        raise ConfigError(f"edge.device '{device}' is not a device (auto, cpu, cuda, cuda:1 …)") from None
    if where.type == "cpu" and where.index:
        raise ConfigError(f"edge.device is '{device}', but there is one cpu: say cpu")
    if where.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"edge.device is '{device}', but this torch sees no CUDA device")
    try:
        # Read back: a device such as `meta` takes tensors and computes nothing.
        float(torch.ones(1, device=where) + 1)
    # Each missing backend raises another type of error: AssertionError, ImportError, NotImplementedError, RuntimeError.
    except Exception as error:
        raise ConfigError(f"edge.device is '{device}', but this torch cannot compute there ({first_line(error)})") from error
    return where


def passes_side_by_side(device: torch.device) -> int:
    """Number of forward passes at once with which a device answers most questions a second, as far as that was measured: on two cores."""
    return min(2, torch.get_num_threads()) if device.type == "cpu" else 1


def useful_batch_size(device: torch.device) -> int:
    """Number of questions in one forward pass beyond which a device answers no more of them a second, whatever else it could hold."""
    return _USEFUL_ON_CPU if device.type == "cpu" else _USEFUL


def compute_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The dtype to compute in: the named one, or for `auto` bf16 where the device multiplies it natively, else float32."""
    if dtype == "float32":
        return torch.float32
    if dtype == "bfloat16":
        return torch.bfloat16
    return torch.bfloat16 if _multiplies_bf16(device) else torch.float32


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cpu":
        return has_native_bf16()
    if device.type != "cuda":
        return False
    properties = torch.cuda.get_device_properties(device)
    return card_multiplies_bf16(
        (properties.major, properties.minor), amd=getattr(properties, "gcnArchName", "") if torch.version.hip else ""
    )


def card_multiplies_bf16(capability: tuple[int, int], *, amd: str = "") -> bool:
    """Whether a graphics card multiplies bf16 itself instead of emulating it.

    Args:
        capability: CUDA compute capability; (7, 5) is a T4.
        amd: architecture of a card under ROCm, such as `gfx90a:sramecc+:xnack-`; empty for NVIDIA.
    """
    return amd.startswith(_AMD_NATIVE) if amd else capability[0] >= _AMPERE


def has_native_bf16() -> bool:
    """Whether this processor multiplies bf16 itself (AVX512_BF16 or AMX); without it bf16 is slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@contextmanager
def one_sentence(what: str, device: torch.device) -> Iterator[None]:
    """Whatever fails inside becomes a sentence that names the model and, where memory ran out, the device.

    Args:
        what: what was being done, beginning with the setting: `edge.model 'x' could not be loaded`.
        device: device that was computing.

    Raises:
        ConfigError: anything that failed inside.
    """
    try:
        yield
    except ConfigError:
        raise
    # A missing or damaged file, a lost device and a full memory surface as whatever four libraries throw, down to a bare
    # Exception of safetensors.
    except Exception as error:
        if is_out_of_memory(error):
            raise ConfigError(f"{what}: {device} has too little memory for it ({first_line(error)})") from error
        raise ConfigError(f"{what} ({first_line(error)})") from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, on whichever device."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error).lower() for text in _NO_MEMORY)
