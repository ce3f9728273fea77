"""A trie behind a prompt as tensors: what one forward pass computes besides the prompt, and which of its logits are read."""

from typing import Any

import torch

from app.edge.reading import Reading
from app.edge.readout import ReadOutModel
from app.edge.trie import VerdictTrie


class Layout:
    """One trie, and the model reduced to the tokens that are read in it.

    Args:
        model: a transformers causal language model in evaluation mode.
        trie: trie of the answers.

    Attributes:
        trie: the same.
        ancestors: which node each node sees, `[nodes, nodes]`.
        depths: depth of each node, `[nodes]`.
        nodes: token id of each node, `[nodes]`.
        model: the model that computes the logits of the tokens that are read, and of no others.
        reading: how its logits become verdicts.

    Raises:
        ConfigError: the model has no output layer that can be found.
    """

    def __init__(self, model: Any, trie: VerdictTrie) -> None:
        self.trie = trie
        ancestors = torch.zeros(len(trie), len(trie), dtype=torch.bool)
        for node in range(len(trie)):
            ancestors[node, trie.ancestors(node)] = True
        self.ancestors = ancestors.to(model.device)
        self.depths = torch.tensor(trie.depths, device=model.device)
        self.nodes = torch.tensor(trie.tokens, device=model.device)
        # Only these rows of the output matrix are ever multiplied: the children at each place.
        places = trie.places
        self.read_at = [place.node for place in places]
        tokens = sorted({token for place in places for token in place.tokens})
        column = {token: at for at, token in enumerate(tokens)}
        self._columns = [[column[token] for token in place.tokens] for place in places]
        # Padded with the first token's column, so that one gather reads all places.
        most = max(map(len, self._columns))
        self._gathered = torch.tensor([row + [0] * (most - len(row)) for row in self._columns], device=model.device)
        self.model = ReadOutModel(model, tokens)
        self.reading = Reading(trie)

    def split(self, logits: torch.Tensor) -> list[torch.Tensor]:
        """Logits `[batch, children]` at every place, of `[batch, places, tokens]`."""
        return [logits[:, place, columns] for place, columns in enumerate(self._columns)]

    def gathered(self, logits: torch.Tensor) -> torch.Tensor:
        """The logits of the children at every place, `[batch, places, children]`, of `[batch, places, tokens]`: one tensor, so that one
        transfer brings it to the host. Behind the children of a place stand numbers without a meaning.
        """
        return logits.gather(2, self._gathered.expand(len(logits), -1, -1))
