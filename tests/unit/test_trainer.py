"""Training on the model's device and on no other, whatever transformers would take. No GPU is needed to see which it would be."""

import pytest
import torch
from transformers import TrainingArguments

from app.core.errors import ConfigError
from app.training.trainer import OneDevice, PrefixTrainer, refuse_launchers
from tests.support.processes import foggate
from tests.support.tiny import tiny_model


@pytest.fixture
def two_gpus(monkeypatch):
    """As torch counts on a machine with two; there is no driver here, so nothing can be computed on them."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def arguments(kind=OneDevice, **kwargs):
    return kind(output_dir="unused", report_to="none", per_device_train_batch_size=4, **kwargs)


def trainer_of(args, model):
    return PrefixTrainer(prefix=(), model=model, args=args, train_dataset=[], data_collator=list)


def test_where_two_gpus_are_seen_the_trainer_does_not_wrap_the_model(two_gpus, tmp_path):
    model = tiny_model("qwen3", 64)
    theirs = arguments(TrainingArguments)
    assert (theirs.n_gpu, theirs.train_batch_size) == (2, 8), "what transformers makes of it: DataParallel, twice the batch"
    assert type(trainer_of(theirs, model)._wrap_model(model)) is torch.nn.DataParallel
    for device in ("cpu", "meta"):
        model = model.to(device)
        args = arguments(of_model=str(model.device))
        trainer = trainer_of(args, model)
        assert (args.n_gpu, args.device) == (0 if device == "cpu" else 1, torch.device(device))
        assert (args.train_batch_size, args.world_size, args.parallel_mode.value) == (4, 1, "not_parallel")
        assert trainer._wrap_model(model) is model
        assert trainer.accelerator.prepare_model(model) is model


@pytest.mark.parametrize("device", ["cuda:1", "cuda:0", "meta", "cpu"])
def test_the_trainer_and_accelerate_use_the_models_device(two_gpus, device):
    args = arguments(of_model=device)
    trainer = trainer_of(args, tiny_model("qwen3", 64))
    assert args.device == trainer.accelerator.device == torch.device(device)
    assert args.n_gpu == (device != "cpu")
    # Another training in the same process, on another device.
    other = trainer_of(arguments(of_model="meta"), tiny_model("qwen3", 64))
    assert other.args.device == other.accelerator.device == torch.device("meta")


def test_a_batch_is_put_where_the_model_is():
    trainer = trainer_of(arguments(of_model="meta"), tiny_model("qwen3", 64).to("meta"))
    assert trainer.model.device == torch.device("meta")
    assert trainer._prepare_inputs({"input_ids": torch.zeros(2, 3)})["input_ids"].device == torch.device("meta")


@pytest.mark.parametrize(
    "environment",
    [
        {"LOCAL_RANK": "0"},
        {"LOCAL_RANK": "1", "WORLD_SIZE": "2"},
        {"WORLD_SIZE": "2"},
        {"PMI_SIZE": "4"},
        {"OMPI_COMM_WORLD_SIZE": "2"},
        {"MV2_COMM_WORLD_SIZE": "3"},
    ],
)
def test_a_launcher_of_several_processes_is_refused(environment):
    with pytest.raises(ConfigError, match=f"{next(iter(environment))}=. says that a launcher such as torchrun started this one"):
        refuse_launchers(environment)


@pytest.mark.parametrize(
    "environment", [{}, {"WORLD_SIZE": "1"}, {"LOCAL_RANK": "-1"}, {"LOCAL_RANK": ""}, {"CUDA_VISIBLE_DEVICES": "0,1"}]
)
def test_a_process_by_itself_is_not(environment):
    refuse_launchers(environment)


def test_the_command_says_so_before_anything_is_loaded(tmp_path):
    (tmp_path / "c.yaml").write_text("base: /nowhere\ndomains: []\ndata: {train: {}}\nlabels: {source: gold}\n")
    done = foggate("evolve", "--config", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "run"), LOCAL_RANK="0", WORLD_SIZE="2")
    assert done.returncode != 0
    assert "LOCAL_RANK=0 says that a launcher such as torchrun started this one" in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()
