"""A run's checkpoint as one low-rank adapter: the verdicts stay, and what lies beside it is for exactly that."""

import json

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.calibration import read_calibration
from app.edge.engine import VerdictEngine
from app.edge.loader import load_model
from app.edge.rendering import Renderer
from app.training.chain import open_chain
from app.training.config import load_config
from app.training.evolve import run_rounds
from app.training.publish.compress import Update, smallest, updates_of
from app.training.publish.ship import ship
from tests.support.chains import chain_config

OPEN = {"min_entropy": 0.0, "max_accuracy_loss": 1.0, "max_mean_loss": 1.0, "max_ece_increase": 1.0}
ASKED = {"round_number": None, "agreement": 0.9, "max_mb": 30, "license_name": "apache-2.0"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ship")
    sft = {"learning_rate": 1e-2, "epochs": 4, "batch_size": 4, "micro_batch_size": 4}
    binding = {"rows": 16, "lora": {"r": 2}, "sft": {"learning_rate": 1e-2, "batch_size": 4, "micro_batch_size": 4}}
    path = chain_config(folder / "in", gate=OPEN, sft=sft, binding=binding)
    chain = opened(path, folder)
    run_rounds(chain)
    return path, folder


def opened(path, folder):
    return open_chain(load_config(path), folder / "run", resume=True, cache_dir=folder, teacher=None)


def verdicts(model, loaded, items):
    engine = VerdictEngine(model, Renderer(loaded.tokenizer, loaded.family), name="x")
    found = engine.verdicts([engine.prepare(item.question) for item in items])
    return [(one.greedy_bucket, *(one.answer(signal) for signal in Signal)) for one in found]


def test_the_shipped_adapter_answers_as_the_checkpoint_does(run, tmp_path):
    path, folder = run
    chain = opened(path, folder)
    tuned, dev = chain.checkpoint.loaded, chain.pools.dev
    wanted = verdicts(tuned.model, tuned, dev)
    out = tmp_path / "mine"
    said = ship(chain, out, **ASKED)
    served = load_model(str(folder / "in/base"), cache_dir=tmp_path, adapter=str(out), dtype="float32", device="cpu")
    assert served.name == "base+mine"
    same = [one == other for one, other in zip(verdicts(served.model, served, dev), wanted, strict=True)]
    assert sum(same) / len(same) >= 0.9
    assert {value.dtype for value in load_file(out / "adapter_model.safetensors").values()} == {torch.bfloat16}
    rank = json.loads((out / "adapter_config.json").read_text())["r"]
    assert f"at rank {rank}" in said[0]
    if (out / "calibration.json").exists():
        read_calibration(out / "calibration.json").check(edge_model=served.name, fingerprint=served.fingerprint, prompt_version="foggate-1")
    card = (out / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\nbase_model: ")
    assert all(f"| {name} |" in card for name in ("base", "symbol binding", "R00", "R02", "R02 as shipped"))
    assert "Before R0, symbol binding was trained on 16 generated questions" in card
    with pytest.raises(ConfigError, match="exists already"):
        ship(chain, out, **ASKED)


def test_what_cannot_be_shipped_is_said(run, tmp_path):
    path, folder = run
    chain = opened(path, folder)
    with pytest.raises(ConfigError, match="no finished round 7"):
        ship(chain, tmp_path / "a", **{**ASKED, "round_number": 7})
    with pytest.raises(ConfigError, match=r"within 0\.001 MB \(rank 0\) nothing fits"):
        ship(chain, tmp_path / "a", **{**ASKED, "max_mb": 0.001})
    assert not (tmp_path / "a").exists()


def write_adapter(folder, b, a, alpha):
    LoraConfig(r=b.shape[1], lora_alpha=alpha, target_modules=["x"]).save_pretrained(folder)
    weights = {"base_model.model.x.lora_A.weight": a.contiguous(), "base_model.model.x.lora_B.weight": b.contiguous()}
    save_file(weights, folder / "adapter_model.safetensors")
    return folder


def test_the_updates_are_the_closest_of_their_rank(tmp_path):
    """Of two adapters together, one of which is scaled by two."""
    torch.manual_seed(0)
    b1, a1, b2, a2 = torch.randn(9, 1), torch.randn(1, 12), torch.randn(9, 2), torch.randn(2, 12)
    change = b1 @ a1 + 2 * b2 @ a2
    update = updates_of([write_adapter(tmp_path / "1", b1, a1, 1), write_adapter(tmp_path / "2", b2, a2, 4)])["x"]
    b, a = update.factors(3)
    assert torch.allclose(b.float() @ a.float(), change, atol=0.1), "rank 3 holds all of it, but for bf16"
    exact = (update.u * update.s) @ update.vh
    assert torch.allclose(exact, change, atol=1e-5)
    assert torch.allclose(update.s[:3], torch.linalg.svdvals(change)[:3], rtol=1e-5)
    b, a = Update(update.u, update.s, update.vh).factors(1)
    left = torch.linalg.matrix_norm(change - b.float() @ a.float())
    assert float(left) == pytest.approx(float(update.s[1:3].norm()), rel=0.02), "Eckart and Young"
    b, a = update.factors(10)
    assert (b.shape, a.shape) == ((9, 10), (10, 12)), "a layer narrower than the rank is filled up"
    assert torch.allclose(b.float() @ a.float(), change, atol=0.1)
    with pytest.raises(ConfigError, match="nothing to write"):
        updates_of([write_adapter(tmp_path / "3", torch.zeros(9, 1), a1, 1)])


@pytest.mark.parametrize("threshold", [1, 2, 7, 12, 13])
def test_the_rank_is_the_smallest_that_holds(threshold):
    asked = []

    def holds(rank):
        asked.append(rank)
        return rank >= threshold

    assert smallest(holds, 13) == threshold
    assert len(asked) <= 4
