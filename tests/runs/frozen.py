"""Layers that a training does not change, computed once for each input and kept on disk (`make arms ARGS="--frozen FOLDER …"`).

Where only the last layers get an adapter (`lora.last_layers`), what comes out of the layers below is the same in every arm, epoch and
measurement of a prompt. On two cores and a model of 1.5 billion parameters this is most of the time of an experiment.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch


class FrozenLayers(torch.nn.Module):
    """The layers below the trained ones, as one layer; what it gives is kept by its input.

    Args:
        layers: the layers, in order; nothing in them needs a gradient.
        folder: folder of the files; one for each model, dtype and number of layers.
    """

    def __init__(self, layers, folder):
        super().__init__()
        self.layers = torch.nn.ModuleList(layers)
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.computed = self.found = 0

    def forward(self, hidden_states, **kwargs):
        cache = kwargs.get("past_key_values")
        before = 0 if cache is None else cache.get_seq_length()
        # The first pass into a cache must fill it, for all layers.
        if cache is not None and before == 0:
            return self._compute(hidden_states, kwargs)
        path = self.folder / f"{self._key(hidden_states, kwargs, before)}.npy"
        if path.exists():
            self.found += 1
            return torch.from_numpy(np.load(path))
        self.computed += 1
        result = self._compute(hidden_states, kwargs)
        scratch = path.with_suffix(".partial.npy")
        np.save(scratch, result.numpy())
        scratch.replace(path)
        return result

    def _compute(self, hidden_states, kwargs):
        with torch.no_grad():
            for layer in self.layers:
                hidden_states = layer(hidden_states, **kwargs)
        return hidden_states

    @staticmethod
    def _key(hidden_states, kwargs, before):
        """Digest of everything that the result depends on: tokens, positions, mask, and how much stands before them in the cache."""
        digest = hashlib.sha256(f"{before} {tuple(hidden_states.shape)}".encode())
        for value in (hidden_states, kwargs["position_ids"], kwargs["attention_mask"]):
            digest.update(b"-" if value is None else value.detach().contiguous().numpy().tobytes())
        return digest.hexdigest()[:32]


class Nothing(torch.nn.Module):
    """In the place of a layer that `FrozenLayers` computes."""

    def forward(self, hidden_states, **_kwargs):
        return hidden_states


def freeze(model, trained, folder):
    """Put `FrozenLayers` in the place of all layers of a model but the last so many; give it.

    The numbers of the layers stay, so that adapters of the last ones find them. Models whose layers differ in their attention (sliding
    windows) are refused, since one mask is given to all.
    """
    kinds = set(getattr(model.config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        raise ValueError(f"layers with {', '.join(sorted(kinds))} cannot be frozen together")
    layers = model.model.layers
    below = len(layers) - trained
    frozen = FrozenLayers([layers[at] for at in range(below)], folder)
    for at in range(below):
        layers[at] = frozen if at == 0 else Nothing()
    return frozen
