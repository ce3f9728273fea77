"""A device that cannot compute, or is full, is one sentence; bf16 only where it is multiplied and not emulated."""

import subprocess
import sys

import pytest
import torch

from app.core.errors import ConfigError
from app.core.prompt import PromptFamily
from app.edge.devices import card_multiplies_bf16, compute_dtype, has_native_bf16, is_out_of_memory, one_sentence, resolve_device
from app.edge.loader import LoadedModel, load_model
from tests.support.chains import base_folder
from tests.support.processes import ROOT
from tests.support.tiny import tiny_model, tiny_tokenizer

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "device",
    [
        "xpu",
        "xpu:3",
        "cuda:9",
        "cuda:99",
        "mps",
        "meta",
        "cpu:7",
        "vulkan",
        "hpu",
        "xla",
        "ipu",
        "abacus",
        "",
        "cuda:-1",
        "gpu",
        "cpu,cuda",
    ],
)
def test_a_device_that_cannot_compute_is_one_sentence_that_names_it(device, tmp_path):
    with pytest.raises(ConfigError, match=r"edge\.device") as refused:
        load_model(str(base_folder(tmp_path / "base")), cache_dir=tmp_path, device=device, dtype="float32")
    assert f"'{device}'" in refused.value.message
    assert "\n" not in refused.value.message


def test_a_device_that_computes_is_taken_without_attention_that_plans_for_each_shape():
    assert resolve_device("cpu") == CPU
    torch.backends.cuda.enable_cudnn_sdp(True)
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert not torch.backends.cuda.cudnn_sdp_enabled()


@pytest.mark.parametrize(
    ("card", "capability", "amd", "native"),
    [
        ("V100", (7, 0), "", False),
        ("T4", (7, 5), "", False),
        ("P100", (6, 0), "", False),
        ("A100", (8, 0), "", True),
        ("RTX 3060", (8, 6), "", True),
        ("L4", (8, 9), "", True),
        ("H100", (9, 0), "", True),
        ("B200", (10, 0), "", True),
        # ROCm counts its generations in the same numbers.
        ("MI50", (9, 0), "gfx906:sramecc+:xnack-", False),
        ("RX 6800", (10, 3), "gfx1030", False),
        ("MI100", (9, 0), "gfx908:sramecc+:xnack-", True),
        ("MI250", (9, 0), "gfx90a:sramecc+:xnack-", True),
        ("MI300X", (9, 4), "gfx942:sramecc+:xnack-", True),
        ("RX 7900", (11, 0), "gfx1100", True),
    ],
)
def test_cards_that_emulate_bf16_are_known(card, capability, amd, native):
    assert card_multiplies_bf16(capability, amd=amd) is native, card


def test_auto_is_bf16_where_the_processor_multiplies_it_and_a_dtype_that_is_said_is_taken():
    assert compute_dtype("auto", CPU) is (torch.bfloat16 if has_native_bf16() else torch.float32)
    # Whatever this machine's processor can do says nothing of other devices.
    assert compute_dtype("auto", torch.device("mps")) is torch.float32
    assert compute_dtype("auto", torch.device("xpu")) is torch.float32
    assert compute_dtype("bfloat16", torch.device("xpu")) is torch.bfloat16
    assert compute_dtype("float32", CPU) is torch.float32


def run_out_of_memory():
    torch.empty(1 << 50)


def reach_for_a_missing_device():
    torch.ones(1).to("cuda:9")


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (run_out_of_memory, r"^edge.model 'x' could not be moved: cpu has too little memory for it \(.*allocate memory"),
        (
            lambda: fail(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has a total ...")),
            "cpu has too little memory",
        ),
        (lambda: fail(RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)")), "cpu has too little memory"),
        (lambda: fail(RuntimeError("unable to mmap 98 bytes from file </x>: Cannot allocate memory (12)")), "cpu has too little memory"),
        (lambda: fail(MemoryError()), r"cpu has too little memory for it \(MemoryError\)"),
        (reach_for_a_missing_device, r"^edge.model 'x' could not be moved \(.*CUDA"),
        (
            lambda: fail(RuntimeError("CUDA error: invalid device ordinal\nCUDA kernel errors might be")),
            r"moved \(CUDA error: invalid device ordinal\)$",
        ),
        (lambda: fail(ConfigError("the adapter is odd")), "^the adapter is odd$"),
    ],
)
def test_what_fails_on_a_device_is_one_sentence(body, says):
    with pytest.raises(ConfigError, match=says) as refused, one_sentence("edge.model 'x' could not be moved", CPU):
        body()
    assert "\n" not in refused.value.message


def test_a_bug_is_no_lack_of_memory():
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert not is_out_of_memory(KeyError("x"))


def test_a_model_that_cannot_compute_its_first_pass_is_one_sentence():
    """A device that is lost, or full, between loading and serving: here a matrix of another shape."""
    tokenizer = tiny_tokenizer()
    model = tiny_model("qwen3", len(tokenizer))
    model.model.layers[0].mlp.up_proj.weight.data = torch.empty(3, 3)
    loaded = LoadedModel(model, tokenizer, PromptFamily.QWEN, "tiny", "")
    with pytest.raises(ConfigError, match="the model 'tiny' cannot answer"):
        loaded.engine()


_LIMITED = """
import resource, sys
from pathlib import Path
from app.edge.loader import load_model
from app.core.errors import ConfigError

load_model(sys.argv[1] + "/tiny", cache_dir=Path(sys.argv[1]), device="cpu", dtype="float32")
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 150_000_000,) * 2)
try:
    load_model(sys.argv[1] + "/large", cache_dir=Path(sys.argv[1]), device="cpu", dtype="float32")
except ConfigError as error:
    print(error.message)
"""


def test_a_machine_with_too_little_memory_is_one_sentence(tmp_path):
    """A real one: a process that may take 150 MB more, and a model of 260 MB."""
    base_folder(tmp_path / "tiny")
    tokenizer = tiny_tokenizer()
    tiny_model("llama", 1_300_000 // 48 * 48).save_pretrained(tmp_path / "large")
    tokenizer.save_pretrained(tmp_path / "large")
    done = subprocess.run([sys.executable, "-c", _LIMITED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("edge.model '"), done.stderr[-2000:]
    assert "cpu has too little memory for it" in done.stdout
    assert done.stdout.count("\n") == 1
