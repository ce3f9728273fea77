"""Tiny LoRA adapters as peft writes them, and what they compute, by plain arithmetic."""

import json

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

WEIGHTS = "adapter_model.safetensors"
PREFIX = "base_model.model."


def make_adapter(model, folder, *, seed=5, scale=0.3, **changes):
    """A random adapter of a model in a folder; the model is as before afterwards."""
    adapted = get_peft_model(
        model, LoraConfig(**{"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **changes})
    )
    torch.manual_seed(seed)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name or "lora_A" in name:
            parameter.data.normal_(std=scale)
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    adapted.unload()
    return folder


def change_weights(folder, change):
    """Rewrite an adapter's weights: `change` maps one dictionary to another."""
    weights = change(load_file(folder / WEIGHTS))
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / WEIGHTS, metadata={"format": "pt"})


def change_config(folder, **changes):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def added(state, folder, scale=2.0):
    """A state dict in float32 with the adapter's products added: W + scale·B·A."""
    weights = load_file(folder / WEIGHTS)
    summed = dict(state)
    for name in [name for name in weights if name.endswith(".lora_A.weight")]:
        layer = name.removeprefix(PREFIX).removesuffix(".lora_A.weight")
        b, a = weights[name.replace("lora_A", "lora_B")].float(), weights[name].float()
        summed[f"{layer}.weight"] = summed[f"{layer}.weight"] + b @ a * scale
    return summed
