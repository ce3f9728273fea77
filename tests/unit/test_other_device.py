"""Reading and training on a device that is not the CPU: no operation mixes tensors of both, and the CPU waits a few times only."""

import pytest
import torch

from app.core.question import Question
from app.edge.engine import VerdictEngine
from app.edge.rendering import Renderer
from app.training.config import EvolveConfig, LoraConfig
from app.training.joint_rows import JointRows
from app.training.joint_state import load
from app.training.joint_steps import Steps
from app.training.lora import put_on, take_off
from app.training.own_letters import own_letters
from tests.support.other_device import OtherDevice
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_model, tiny_tokenizer
from tests.unit.test_joint_rows import labelled

QUESTIONS = [
    Question("What is this?", ("one", "two")),
    Question("\nWhat begins with a newline, and is longer than a sliding window?", ("one", "two", "three")),
    Question("Which?", tuple(f"option {n}" for n in range(7))),
]


def parts(kind, dtype=torch.float32):
    tokenizer = tiny_tokenizer(TEMPLATES[kind])
    return tiny_model(kind, len(tokenizer)).to(dtype).to("meta"), Renderer(tokenizer, FAMILIES[kind])


def test_mixed_devices_are_noticed():
    with OtherDevice() as device:
        there = torch.ones(2, 3, device="meta")
        assert (there + 1).cpu().shape == (2, 3)
        assert device.waits == 1
        with pytest.raises(RuntimeError, match="cpu and meta"):
            there + torch.ones(2, 3)


@pytest.mark.parametrize(
    ("kind", "split", "share", "buckets"),
    [("gemma3", True, False, False), ("gemma3", False, True, False), ("qwen3", True, True, False), ("qwen3", True, True, True)],
)
def test_a_batch_is_read_with_one_wait(kind, split, share, buckets):
    model, renderer = parts(kind, torch.bfloat16)
    with OtherDevice() as device:
        engine = VerdictEngine(model, renderer, name="tiny", split=split, share_prefix=share, buckets=buckets)
        prompts = [engine.prepare(question) for question in QUESTIONS]
        before = device.waits
        assert len(engine.verdicts(prompts)) == len(QUESTIONS)
        assert device.waits == before + 1
        logits = engine.forward(prompts, engine.prefill() if share else None)
        assert {place.device.type for place in logits} == {"meta"}


def test_a_training_through_the_one_pass_runs_and_continues(tmp_path):
    model, renderer = parts("qwen3", torch.bfloat16)
    sft = {"epochs": 1, "batch_size": 2, "micro_batch_size": 2}
    config = EvolveConfig.model_validate(
        {"data": {"train": {}}, "loss": "joint", "labels": {"target": "soft"}, "sft": sft, "joint": {"evaluate_every": 2}}
    )
    rows = labelled(4)
    dev = [row.item for row in rows[:2]]
    with OtherDevice() as device:
        adapted = put_on(model, LoraConfig(r=2), seed=0, base_name="tiny")
        steps = Steps(model, JointRows(renderer, rows, config, seed=1), config, seed=1, dev=dev, domains=["law"])
        state = steps.run(tmp_path, "origin")
        assert (state.step, len(state.loss)) == (2, 2)
        assert all(value.device.type == "cpu" for value in (state.weights | state.best).values())
        again = load(tmp_path, "origin")
        assert again.step == 2
        steps.set_weights(again.best)
        steps._optimizer.load_state_dict(again.optimizer)
        before = device.waits
        steps._backward([0], 0, of=1)
        of_one = device.waits - before
        steps._backward([0, 1, 2, 3], 0, of=4)
        assert device.waits - before - of_one == of_one
        take_off(adapted, checkpointing=False)


def test_own_letters_are_read_with_one_wait_a_batch(tmp_path):
    model, renderer = parts("qwen3")
    items = [row.item for row in labelled(6)]
    with OtherDevice() as device:
        engine = VerdictEngine(model, renderer, name="tiny")
        before = device.waits
        assert len(own_letters(engine, items, tmp_path / "letters.jsonl", batch_size=3, dtype=None)) == 6
        assert device.waits == before + 2
