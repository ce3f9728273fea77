"""What is imported for what: serving imports no compiler, no training and no plotting, and what was left out can be imported later."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from app.core.question import Question
from app.edge.loader import load_model
from tests.support.adapters import make_adapter
from tests.support.tiny import tiny_model, tiny_tokenizer

ROOT = Path(__file__).parents[2]
HEAVY = (
    *("torch._dynamo", "torch._inductor", "torch.distributed.tensor", "torch.distributed.checkpoint", "sympy", "scipy"),
    *("peft", "sklearn", "matplotlib", "datasets", "pandas", "pyarrow", "mcp"),
)
SERVE = """
import json, sys
from app.api.app import create_app
from app.config.settings import Settings
from app.core.question import Question
from app.edge.build import load_engine
settings = Settings(edge={{"model": {base!r}, "adapter": {adapter!r}, "cache_dir": {cache!r}, "device": "cpu", "dtype": "float32"}})
create_app(settings)
engine = load_engine(settings)
joint = engine.verdicts([engine.prepare(Question("What is this?", ("one", "two", "three")))])[0].joint
loaded = [name for name in {heavy!r} if name in sys.modules]
from transformers.utils import is_scipy_available
import importlib.util, torch
later = [callable(torch._dynamo.optimize), "sympy" in sys.modules, is_scipy_available() == bool(importlib.util.find_spec("scipy"))]
print(json.dumps([joint, loaded, later, torch.distributed.is_available()]))
"""


def python(code, **environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


def test_a_later_start_serves_with_little_imported_and_the_rest_can_be_imported_later(tmp_path):
    model, tokenizer = tiny_model("llama", len(tiny_tokenizer())), tiny_tokenizer()
    adapter = make_adapter(model, tmp_path / "adapter")
    model.to(torch.bfloat16).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    how = {"cache_dir": tmp_path / "cache", "adapter": str(adapter), "device": "cpu", "dtype": "float32", "prepared_bytes": 10_000_000}
    engine = load_model(str(tmp_path / "base"), **how).engine(long_labels=True)
    done = python(SERVE.format(base=str(tmp_path / "base"), adapter=str(adapter), cache=str(tmp_path / "cache"), heavy=HEAVY))
    assert done.returncode == 0, done.stderr
    joint, loaded, later, distributed = json.loads(done.stdout.splitlines()[-1])
    assert loaded == []
    assert (later, distributed) == ([True, True, True], torch.distributed.is_available())
    mine = engine.verdicts([engine.prepare(Question("What is this?", ("one", "two", "three")))])[0].joint
    assert max(abs(a - b) for ours, theirs in zip(mine, joint, strict=True) for a, b in zip(ours, theirs, strict=True)) < 1e-6


TORCHVISION = """
from torch._dynamo.utils import is_compile_supported
from . import transforms
"""
WITH_TORCHVISION = """
import sys
from app.edge.lean import import_modelling
import_modelling()
before = [name for name in ("torchvision", "torch._dynamo") if name in sys.modules]
import transformers, torchvision
from transformers import AutoTokenizer, Trainer
print(before, transformers.utils.is_torchvision_available(), torchvision.is_compile_supported("cpu"))
"""


def test_torchvision_beside_transformers_is_left_out_and_can_be_imported_later(tmp_path):
    """It imports a part of torch's compiler, which cannot be found below a stand-in."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(TORCHVISION, encoding="utf-8")
    (package / "transforms.py").write_text(
        "class InterpolationMode:\n    NEAREST = BOX = BILINEAR = HAMMING = BICUBIC = LANCZOS = 0\n", encoding="utf-8"
    )
    done = python(WITH_TORCHVISION, PYTHONPATH=os.pathsep.join([str(ROOT), str(tmp_path)]))
    assert done.stdout.splitlines() == ["[] False True"], done.stdout + done.stderr


def test_asking_a_gateway_and_checking_a_configuration_import_no_torch():
    code = (
        "import sys\nfrom app.cli.commands import main\n"
        "for words in (['--help'], ['config', 'check'], ['ask', 'Which?', 'a', 'b', '--url', 'http://127.0.0.1:1']):\n"
        "    try: main(words)\n"
        "    except SystemExit as ended: print('code', ended.code)\n"
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = python(code, FOGGATE_SERVER__PORT="0")
    assert done.stdout.splitlines()[-1] == "False False", done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("code ")] == ["code 0", "code 0", "code 1"], done.stdout
