"""The one-pass verdict: one forward over prompt + answer trie, read at the few positions where the model chooses.

Owns positions, the shared prefix cache and the reading of logits. Knows nothing of queues, HTTP or settings, and of no family of models:
whether a model is read exactly is proven when it is loaded (`app/edge/proof.py`). See ARCHITECTURE.md, "One forward pass".
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from transformers import DynamicCache

from app.core.errors import EdgeError, InvalidQuestion
from app.core.question import Question
from app.core.verdict import BUCKETS, JointVerdict
from app.edge.architecture import longest_prompt
from app.edge.kept_prompts import KeptPrompts, KeysValues
from app.edge.masks import Masks
from app.edge.readout import ReadOutModel
from app.edge.rendering import Prompt, Renderer
from app.edge.trie import ROOT


class VerdictEngine:
    """Reads P(confidence, answer) for a batch of questions in a single prefill.

    Not thread-safe: one thread calls `verdicts` (the batcher's worker). `prepare` touches the tokenizer only and may be
    called from one other thread.

    Args:
        model: a transformers causal language model with attention only, in evaluation mode.
        renderer: renders prompts; holds the tokenizer, the trie and the shared prefix.
        name: what answers call this model.
        fingerprint: fingerprint of its weights, for records and calibrations.
        max_prompt_tokens: longer prompts are refused.
        share_prefix: compute the keys and values of the common system prompt once.
        keep_prompts: number of prompts whose keys and values are kept, for questions that come again in another order of options.

    Raises:
        ConfigError: it has layers that read other tokens without a mask, or no output layer that can be found.
    """

    def __init__(
        self,
        model: Any,
        renderer: Renderer,
        *,
        name: str,
        fingerprint: str = "",
        max_prompt_tokens: int = 2048,
        share_prefix: bool = True,
        keep_prompts: int = 0,
    ) -> None:
        config = model.config.get_text_config(decoder=True)
        self.name = name
        self.fingerprint = fingerprint
        self.prompt_fingerprint = renderer.prompt_fingerprint
        self.parameters: int = model.num_parameters()
        self.renderer = renderer
        trie = renderer.trie
        self._trie = trie
        self._device = model.device
        self._masks = Masks(config, model.dtype, self._device)
        room = longest_prompt(config, max(trie.depths))
        self.max_prompt_tokens = max_prompt_tokens if room is None else min(max_prompt_tokens, room)

        ancestors = torch.zeros(len(trie), len(trie), dtype=torch.bool)
        for node in range(len(trie)):
            ancestors[node, trie.ancestors(node)] = True
        self._ancestors = ancestors.to(self._device)
        self._depths = torch.tensor(trie.depths, device=self._device)
        self._nodes = torch.tensor(trie.tokens, device=self._device)
        # Only these rows of the output matrix are ever multiplied: the children of each branching, then the letters.
        self._read_at = [branching.node for branching in trie.branchings] + list(trie.leaves)
        rows = [branching.tokens for branching in trie.branchings] + list(trie.letters)
        tokens = sorted({token for row in rows for token in row})
        self._columns = [[tokens.index(token) for token in row] for row in rows]
        self._model = ReadOutModel(model, tokens)
        self._prefix = self._prefill_prefix(renderer.prefix_ids) if share_prefix and renderer.prefix_ids else None
        self._kept = KeptPrompts(keep_prompts) if keep_prompts else None

    @property
    def prefix_tokens(self) -> int:
        """How many tokens of every prompt are computed once instead of each time."""
        return len(self.renderer.prefix_ids) if self._prefix is not None else 0

    def prepare(self, question: Question) -> Prompt:
        """Render and tokenise.

        Raises:
            InvalidQuestion: the prompt is over the token limit.
        """
        prompt = self.renderer.prompt(question)
        if len(prompt.ids) > self.max_prompt_tokens:
            raise InvalidQuestion(f"the prompt is {len(prompt.ids)} tokens long, the limit is {self.max_prompt_tokens}", param="question")
        return replace(prompt, cached=self.prefix_tokens) if prompt.shares_prefix else prompt

    @torch.inference_mode()
    def verdicts(self, prompts: Sequence[Prompt], *, temperature: float = 1.0) -> list[JointVerdict]:
        """The verdict on each prompt, in order, from one forward pass over all of them.

        Args:
            prompts: at least one; any mixture of lengths and option counts.
            temperature: divides the logits at every branching before its softmax (greedy choices do not change).

        Raises:
            EdgeError: the model's numbers on some of the questions are not a distribution (NaN or infinite logits); it
                carries the verdicts on the others.
        """
        verdicts: list[JointVerdict] = []
        found: list[JointVerdict | None] = []
        for prompt, read in zip(prompts, self._read(prompts), strict=True):
            try:
                verdicts.append(self._verdict(read, prompt.options, temperature))
                found.append(verdicts[-1])
            except EdgeError:
                found.append(None)
        if len(verdicts) < len(found):
            unsound = len(found) - len(verdicts)
            raise EdgeError(f"the edge model's output on {unsound} of {len(found)} questions is not finite", verdicts=found)
        return verdicts

    def _read(self, prompts: Sequence[Prompt]) -> list[list[list[float]]]:
        """For each prompt the logits at every place in `self._read_at`. Prompts of which a beginning is kept are computed one by one."""
        found: dict[int, list[list[float]]] = {}
        if self._kept is not None:
            for i, prompt in enumerate(prompts):
                beginning = self._kept.beginning(prompt.ids, self.prefix_tokens if prompt.shares_prefix else 0)
                if beginning is not None:
                    skip, keys_values = beginning
                    found[i] = [logits[0].tolist() for logits in self._forward([prompt], skip, keys_values)]
        rest = [i for i in range(len(prompts)) if i not in found]
        if rest:
            batch = [prompts[i] for i in rest]
            shared = self._prefix if all(prompt.shares_prefix for prompt in batch) else None
            # One transfer per place that is read, not one per question: each is a synchronisation on a GPU.
            read = [logits.tolist() for logits in self._forward(batch, self.prefix_tokens if shared is not None else 0, shared)]
            found.update({i: [rows[place] for rows in read] for place, i in enumerate(rest)})
        return [found[i] for i in range(len(prompts))]

    def _forward(self, prompts: Sequence[Prompt], skip: int, shared: KeysValues | None) -> list[torch.Tensor]:
        """Logits `[batch, children]` at every place in `self._read_at`.

        Args:
            prompts: what is read.
            skip: number of tokens at the beginning of every prompt that are not computed.
            shared: their keys and values; None where there are none.
        """
        lengths = torch.tensor([len(prompt.ids) - skip for prompt in prompts], device=self._device)
        width, batch = int(lengths.max()), len(prompts)
        padded = torch.tensor([[0] * (width - len(p.ids) + skip) + list(p.ids[skip:]) for p in prompts], device=self._device)
        input_ids = torch.cat([padded, self._nodes.expand(batch, -1)], dim=1)

        # Columns: shared prefix, left-padded rest of the prompt, trie. Positions count real tokens only.
        column = torch.arange(width, device=self._device)
        pad = (width - lengths)[:, None]
        real = column >= pad
        rest_positions = (skip + column - pad).clamp(min=0)
        trie_positions = (skip + lengths - 1)[:, None] + self._depths
        positions = torch.cat([rest_positions, trie_positions], dim=1)

        nodes = len(self._trie)
        allowed = torch.zeros(batch, width + nodes, skip + width + nodes, dtype=torch.bool, device=self._device)
        allowed[:, :, :skip] = True
        allowed[:, :width, skip : skip + width] = (column[:, None] >= column) & real[:, None, :]
        allowed[:, width:, skip : skip + width] = real[:, None, :]
        allowed[:, width:, skip + width :] = self._ancestors
        # A padding row sees itself, so that its softmax has something to stand on; nothing ever looks at it.
        allowed[:, column, skip + column] = True

        prefix_positions = torch.arange(skip, device=self._device).expand(batch, -1)
        masks = self._masks(allowed, positions, torch.cat([prefix_positions, positions], dim=1))
        cache = DynamicCache() if self._kept is not None else None
        if shared is not None:
            # Views of the shared tensors; the cache concatenates into new ones, so the originals are never written.
            cache = DynamicCache([(k.expand(batch, -1, -1, -1), v.expand(batch, -1, -1, -1)) for k, v in shared])
        at = [width + node if node != ROOT else width - 1 for node in self._read_at]
        logits = self._model(
            at, input_ids=input_ids, attention_mask=masks, position_ids=positions, past_key_values=cache, use_cache=cache is not None
        )
        if self._kept is not None and cache is not None:
            for i, prompt in enumerate(prompts):
                # Of this row: what was skipped, and what stands between its padding and the trie.
                keep = torch.cat([column.new_tensor(range(skip)), skip + column[int(pad[i]) :]])
                self._kept.add(prompt.ids, [(layer.keys[i : i + 1, :, keep], layer.values[i : i + 1, :, keep]) for layer in cache.layers])
        return [logits[:, place, columns] for place, columns in enumerate(self._columns)]

    def _verdict(self, read: list[list[float]], options: int, temperature: float) -> JointVerdict:
        """Multiply the probabilities of the choices along each path: log-softmax over the children at each branching."""
        trie = self._trie
        at_branching = read[: len(trie.branchings)]
        at_leaf = [row[:options] for row in read[len(trie.branchings) :]]
        log_p = [_log_softmax(row, temperature) for row in at_branching]
        best = [max(range(len(row)), key=row.__getitem__) for row in at_branching]
        joint = []
        greedy = -1
        for bucket in range(len(BUCKETS)):
            walk = trie.choices[bucket]
            log_bucket = math.fsum(log_p[branching][child] for branching, child in walk)
            joint.append([math.exp(log_bucket + log_letter) for log_letter in _log_softmax(at_leaf[bucket], temperature)])
            if all(best[branching] == child for branching, child in walk):
                greedy = bucket
        return JointVerdict.from_weights(joint, greedy, trie.choices)

    @torch.inference_mode()
    def _prefill_prefix(self, ids: Sequence[int]) -> KeysValues:
        """Keys and values `[1, heads, prefix, head_dim]` of each layer; a plain cache, which crops nothing."""
        count = len(ids)
        positions = torch.arange(count, device=self._device)[None]
        causal = torch.ones(1, count, count, dtype=torch.bool, device=self._device).tril()
        cache = DynamicCache()
        self._model(
            [count - 1],
            input_ids=torch.tensor([list(ids)], device=self._device),
            attention_mask=self._masks(causal, positions, positions),
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        return [(layer.keys, layer.values) for layer in cache.layers]


def _log_softmax(logits: Sequence[float], temperature: float) -> list[float]:
    scaled = [value / temperature for value in logits]
    top = max(scaled)
    log_total = top + math.log(math.fsum(math.exp(value - top) for value in scaled))
    return [value - log_total for value in scaled]
