"""The table of builtin models, and what becomes of a file: converted, loaded and proven; with a calibration once one is shipped."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from app.core.errors import ConfigError
from app.core.prompt import PROMPT_VERSION, PromptFamily
from app.core.question import Question
from app.core.verdict import Signal
from app.data.calibration import read_calibration
from app.edge.adapters import find_adapter
from app.edge.builtin.__main__ import main
from app.edge.builtin.cache import ensure_builtin
from app.edge.builtin.models import BUILTINS, find_builtin
from app.edge.fingerprint import fingerprint
from app.edge.foggen import writes_confidence
from app.edge.found import find_model
from app.edge.loader import load_model
from tests.support.gguf_file import write_gguf
from tests.support.processes import ROOT
from tests.support.sources import weights
from tests.support.tiny import tiny_model


def test_the_small_builtin_model_is_what_it_was_in_the_first_release():
    """Another folder would be another download for everybody, and another identity would make every calibration void."""
    for name in ("builtin", "builtin-base"):
        found = find_builtin(name).weights
        assert found.folder == "smollm2-135m-instruct-bcc81830d10c"
        assert fingerprint(found.identity, None) == "db1f353a7404"
    assert find_builtin("builtin").adapter.name == "foggate-r14"
    assert find_builtin("builtin-base").adapter is None
    assert find_builtin("builtin-base").calibration is None
    assert find_builtin("issai/foggen") is None


@pytest.mark.parametrize("builtin", BUILTINS.values(), ids=BUILTINS)
def test_the_table_is_consistent(builtin):
    found = builtin.weights
    assert len(bytes.fromhex(found.sha256)) == 32
    assert sum(part.size for part in found.parts) == found.size
    assert all(part.requirement.count("==") == 1 for part in found.parts)
    assert len({part.requirement for part in found.parts}) == len({part.member for part in found.parts}) == len(found.parts)
    assert BUILTINS[builtin.spec] is builtin
    alike = {
        other.weights for other in BUILTINS.values() if other.weights.folder == found.folder or other.weights.identity == found.identity
    }
    assert alike == {found}


@pytest.mark.parametrize("builtin", [one for one in BUILTINS.values() if one.calibration], ids=lambda one: one.spec)
def test_a_shipped_calibration_is_for_its_builtin_model(builtin):
    shipped = read_calibration(builtin.calibration)
    adapter = find_adapter(str(builtin.adapter)) if builtin.adapter else None
    name = builtin.weights.name + (f"+{builtin.adapter.name}" if builtin.adapter else "")
    shipped.check(
        edge_model=name,
        fingerprint=fingerprint(builtin.weights.identity, adapter),
        prompt_version=PROMPT_VERSION,
        prompt_fingerprint=shipped.prompt_fingerprint,
    )


def test_an_adapter_in_the_folder_of_a_builtin_model_is_used_and_none_is_needed(tmp_path):
    builtin = replace(find_builtin("builtin-1.5b"), shipped=tmp_path / "none")
    assert (builtin.adapter, builtin.calibration) == (None, None)
    builtin = replace(builtin, shipped=tmp_path)
    (tmp_path / "calibration.json").write_text("{}")
    assert (builtin.adapter, builtin.calibration) == (None, tmp_path / "calibration.json")
    (tmp_path / "adapter_config.json").write_text("{}")
    assert builtin.adapter == tmp_path
    assert not writes_confidence("builtin-1.5b", None)


_ROUTE = """
import json, sys
from app.config.settings import Settings
from app.core.edge import Identity
from app.core.verdict import Signal
from app.gateway.build import build_policy, calibration_of, routing_notes
found = []
for fingerprint, sections in json.loads(sys.argv[1]):
    settings = Settings(edge={"model": "builtin-1.5b"} | sections.get("edge", {}), policy=sections.get("policy", {}))
    identity = Identity("qwen2.5-coder-1.5b-instruct", fingerprint, None, frozenset(Signal))
    calibration = calibration_of(settings, None, identity)
    policy = build_policy(settings, calibration, identity)
    found.append([policy.signal, policy.tau, *(note[:32] for note in routing_notes(settings, calibration, identity))])
print(json.dumps(found))
"""


@pytest.mark.parametrize("shipped", [False, True])
def test_a_calibration_that_is_laid_into_the_folder_is_the_default_of_the_larger_builtin_model(tmp_path, shipped):
    """In a copy of the package, because what is shipped is a matter of files."""
    leave = shutil.ignore_patterns("__pycache__", "swagger", "foggate-*")
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=leave)
    if shipped:
        content = json.loads(find_builtin("builtin").calibration.read_text())
        own = {"edge_model": "qwen2.5-coder-1.5b-instruct", "edge_fingerprint": "f" * 12, "signal": "margin", "tau": 0.25, "domains": {}}
        (folder := tmp_path / "app/edge/foggate-1.5b").mkdir()
        (folder / "calibration.json").write_text(json.dumps(content | own))
    cases = [("f" * 12, {}), ("0" * 12, {}), ("f" * 12, {"edge": {"prompt_family": "llama"}}), ("f" * 12, {"policy": {"tau": 0.75}})]
    done = subprocess.run(
        [sys.executable, "-c", _ROUTE, json.dumps(cases)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    uncalibrated = ["top_probability", 0.5, "the threshold is not calibrated:"]
    expected = [["margin", 0.25], uncalibrated, uncalibrated, ["margin", 0.75, "policy.tau 0.75 takes the place "]]
    if not shipped:
        expected = [uncalibrated, uncalibrated, uncalibrated, ["top_probability", 0.75, "the threshold is not calibrated:"]]
    assert json.loads(done.stdout) == expected


def test_the_larger_builtin_model_comes_with_a_calibration_of_its_own_weights():
    shipped = find_builtin("builtin-1.5b")
    calibration = read_calibration(shipped.calibration)
    assert (calibration.edge_model, calibration.edge_adapter) == (shipped.weights.name, shipped.adapter)
    assert calibration.edge_fingerprint == fingerprint(shipped.weights.identity, None)
    assert (calibration.signal, calibration.prompt_version) == (Signal.FITTED, PROMPT_VERSION)


@pytest.mark.parametrize(("spec", "wording"), [("builtin-base", PromptFamily.LLAMA), ("builtin-1.5b", PromptFamily.PLAIN)])
def test_a_builtin_model_has_a_wording_of_its_own_unless_one_is_configured(tmp_path, spec, wording):
    folder = tmp_path / find_builtin(spec).weights.folder
    tiny_model("qwen3", 300).save_pretrained(folder)
    assert find_model(spec, cache_dir=tmp_path).family is wording
    assert find_model(spec, cache_dir=tmp_path, family=PromptFamily.GEMMA).family is PromptFamily.GEMMA
    assert find_model(str(folder), cache_dir=tmp_path).family is PromptFamily.QWEN


def test_a_real_file_is_converted_bit_for_bit_and_answers(tmp_path):
    making = tmp_path / "made-up-model-0.making"
    making.mkdir()
    meant = write_gguf(making / "model.gguf")
    content = (making / "model.gguf").read_bytes()
    made = weights(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    folder = ensure_builtin(tmp_path, made)
    tensors = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    assert len(tensors) == len(meant)
    for ours, theirs in (
        ("model.embed_tokens.weight", "token_embd.weight"),
        ("model.layers.1.mlp.down_proj.weight", "blk.1.ffn_down.weight"),
    ):
        assert torch.equal(tensors[ours], torch.from_numpy(meant[theirs]).to(torch.bfloat16))
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    assert not making.exists()
    loaded = load_model(str(folder), cache_dir=tmp_path, device="cpu", dtype="float32")
    assert loaded.family is PromptFamily.QWEN
    engine = loaded.engine(max_prompt_tokens=400)
    (verdict,) = engine.verdicts([engine.prepare(Question("What is this?", ("one", "two", "three")))])
    assert sum(map(sum, verdict.joint)) == pytest.approx(1)


def test_a_file_that_is_no_model_is_one_sentence(tmp_path):
    made = weights()
    (making := tmp_path / "made-up-model-0.making").mkdir()
    (making / "model.gguf").write_bytes(b"A" * 60_000 + b"B" * 60_000)
    with pytest.raises(ConfigError, match=r"^the builtin model made-up-model could not be converted \("):
        ensure_builtin(tmp_path, made)
    assert not (tmp_path / made.folder).exists()


def test_only_builtin_models_are_fetched_ahead_of_time(tmp_path):
    with pytest.raises(ConfigError, match=r"^'builtin-2b' is not a builtin model; there are builtin, builtin-base, builtin-1\.5b$"):
        main([str(tmp_path), "builtin-2b"])
    (tmp_path / find_builtin("builtin-1.5b").weights.folder).mkdir()
    assert main([str(tmp_path), "builtin-1.5b"]) == str(tmp_path / find_builtin("builtin-1.5b").weights.folder)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["cache", "--name"], ["cache", "builtin", "more"]])
def test_an_option_is_no_name_of_a_folder(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^usage: "):
        main(arguments)
    assert list(tmp_path.iterdir()) == []
