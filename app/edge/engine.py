"""The one-pass verdict: one forward over prompt + answer trie, read at the few positions where the model chooses.

Owns the shared prefix cache and what a forward pass is given. Knows nothing of queues, HTTP or settings, and of no family of models:
whether a model is read exactly is proven when it is loaded (`app/edge/proof.py`). See ARCHITECTURE.md, "One forward pass".
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from transformers import DynamicCache

from app.core.errors import EdgeError, FogGateError, InvalidQuestion
from app.core.question import MAX_OPTIONS, Question
from app.core.verdict import JointVerdict
from app.edge.architecture import longest_prompt
from app.edge.columns import Columns
from app.edge.devices import useful_batch_size
from app.edge.kept_prompts import KeptPrompts, KeysValues
from app.edge.layout import Layout
from app.edge.masks import Masks
from app.edge.packed import PackedColumns
from app.edge.rendering import Prompt, Renderer
from app.edge.split_attention import can_split


class VerdictEngine:
    """Reads P(confidence, answer) for a batch of questions in a single prefill.

    Not thread-safe: one thread calls `verdicts` (the batcher's worker). `prepare` and `prepare_all` touch the tokenizer only and may be
    called from one other thread.

    Args:
        model: a transformers causal language model with attention only, in evaluation mode.
        renderer: renders prompts; holds the tokenizer, the trie and the shared prefix.
        name: what answers call this model.
        fingerprint: fingerprint of its weights, for records and calibrations.
        max_prompt_tokens: longer prompts are refused.
        share_prefix: compute the keys and values of the common system prompt once.
        keep_prompts: number of prompts whose keys and values are kept, for questions that come again in another order of options.
        split: compute the attention of verdicts in parts, where the model's layers allow it (`app/edge/split_attention.py`).
        pack: on a CPU, let prompts that share a pass stand in one row (`app/edge/packed.py`), where attention is computed in parts.

    Attributes:
        splits_attention: whether that is done.
        packs_rows: whether that is done. A pass on a CPU costs what its columns cost, padding included; a GPU wants few and large steps,
            so there each prompt has a row.
        useful_batch_size: number of questions in a forward pass beyond which this device answers no more of them a second.

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
        split: bool = True,
        pack: bool = True,
    ) -> None:
        config = model.config.get_text_config(decoder=True)
        self.name = name
        self.fingerprint = fingerprint
        self.prompt_fingerprint = renderer.prompt_fingerprint
        self.parameters: int = model.num_parameters()
        self.renderer = renderer
        self._model = model
        self._device = model.device
        self._config = config
        self.splits_attention = split and can_split(model)
        self.packs_rows = pack and self.splits_attention and self._device.type == "cpu"
        self.useful_batch_size = useful_batch_size(self._device)
        self._masks = Masks(config, model.dtype)
        self._layout = Layout(model, renderer.trie)
        self._long: Layout | None = None
        self.max_prompt_tokens = self._room(self._layout, max_prompt_tokens)
        self._max_long_prompt_tokens = 0
        self._prefix: KeysValues | None = None
        if share_prefix and renderer.prefix_ids:
            with torch.inference_mode():
                self._prefix = self.prefill()
        self._kept = KeptPrompts(keep_prompts) if keep_prompts else None

    @property
    def prefix_tokens(self) -> int:
        """How many tokens of every prompt are computed once instead of each time."""
        return len(self.renderer.prefix_ids) if self._prefix is not None else 0

    def read_long_labels(self) -> None:
        """Read questions with more than `MAX_OPTIONS` options too, from a trie of their own.

        Raises:
            ConfigError: the tokenizer cannot write their labels.
        """
        layout = Layout(self._model, self.renderer.long_trie())
        self._long, self._max_long_prompt_tokens = layout, self._room(layout, self.max_prompt_tokens)

    def forget_long_labels(self) -> None:
        """Refuse questions with more than `MAX_OPTIONS` options again."""
        self._long = None

    def _room(self, layout: Layout, most: int) -> int:
        """The longest prompt of at most so many tokens that leaves room for a trie."""
        room = longest_prompt(self._config, max(layout.trie.depths))
        return most if room is None else min(most, room)

    def prepare(self, question: Question) -> Prompt:
        """Render and tokenise.

        Raises:
            InvalidQuestion: the prompt is over the token limit.
            EdgeError: more options than letters, and this engine does not read their labels.
        """
        # Before the text is tokenised.
        self._layout_for(len(question.options))
        return self._within_limits(self.renderer.prompt(question))

    def prepare_all(self, questions: Sequence[Question]) -> list[Prompt | FogGateError]:
        """Render several questions and tokenise them in one call: the prompts in their order, or the error that `prepare` would raise."""
        found: dict[int, Prompt | FogGateError] = {}
        texts: dict[int, str] = {}
        for at, question in enumerate(questions):
            try:
                self._layout_for(len(question.options))
                texts[at] = self.renderer.render(question)
            except FogGateError as error:
                found[at] = error
        for at, ids in zip(texts, self.renderer.encode_all([*texts.values()]), strict=True):
            try:
                found[at] = self._within_limits(self.renderer.prompt_of(ids, len(questions[at].options)))
            except InvalidQuestion as error:
                found[at] = error
        return [found[at] for at in range(len(questions))]

    def _within_limits(self, prompt: Prompt) -> Prompt:
        """A prompt with what a forward pass computes of it. Raises InvalidQuestion."""
        layout = self._layout_for(prompt.options)
        limit = self.max_prompt_tokens if layout is self._layout else self._max_long_prompt_tokens
        if len(prompt.ids) > limit:
            raise InvalidQuestion(
                f"the prompt is {len(prompt.ids)} tokens long, the limit is {limit} (edge.max_prompt_tokens, and what the model itself reads)",
                param="question",
            )
        return replace(prompt, cached=self.prefix_tokens if prompt.shares_prefix else 0, nodes=len(layout.trie))

    @torch.inference_mode()
    def verdicts(self, prompts: Sequence[Prompt], *, temperature: float = 1.0) -> list[JointVerdict]:
        """The verdict on each prompt, in order, from one forward pass over all of them; one more where some have more options than letters.

        Args:
            prompts: at least one; any mixture of lengths and option counts.
            temperature: divides the logits at every branching before its softmax (greedy choices do not change).

        Raises:
            EdgeError: the model's numbers on some of the questions are not a distribution (NaN or infinite logits); it
                carries the verdicts on the others.
        """
        found: list[JointVerdict | None] = [None] * len(prompts)
        for long in (False, True):
            members = [at for at, prompt in enumerate(prompts) if (prompt.options > MAX_OPTIONS) is long]
            if not members:
                continue
            layout = self._layout_for(prompts[members[0]].options)
            for at, read in zip(members, self._read(layout, [prompts[at] for at in members]), strict=True):
                with suppress(EdgeError):
                    found[at] = layout.verdict(read, prompts[at].options, temperature)
        verdicts = [verdict for verdict in found if verdict is not None]
        if len(verdicts) < len(found):
            unsound = len(found) - len(verdicts)
            raise EdgeError(f"the edge model's output on {unsound} of {len(found)} questions is not finite", verdicts=found)
        return verdicts

    def _layout_for(self, options: int) -> Layout:
        if options <= MAX_OPTIONS:
            return self._layout
        if self._long is None:
            raise EdgeError(f"the edge model '{self.name}' does not take more than {MAX_OPTIONS} options")
        return self._long

    def forward(self, prompts: Sequence[Prompt], prefix: KeysValues | None = None) -> list[torch.Tensor]:
        """The logits that a verdict is read from. They can be differentiated: training computes its loss on them.

        Args:
            prompts: at least one, of questions with no more options than letters.
            prefix: what `prefill` gave for the weights as they are now; used where all prompts share the prefix.

        Returns:
            Float32 logits `[batch, children]`: at each branching of the trie, then of all letters behind each bucket.
        """
        shared = prefix if all(prompt.shares_prefix for prompt in prompts) else None
        skip = len(self.renderer.prefix_ids) if shared is not None else 0
        # With whole masks: a gradient checkpoint computes layers again later, when attention is no longer split.
        return self._layout.split(self._forward(self._layout, prompts, skip, shared, split=False))

    def _read(self, layout: Layout, prompts: Sequence[Prompt]) -> list[list[list[float]]]:
        """For each prompt the logits at every place of a layout. Prompts of which a beginning is kept are computed one by one."""
        found: dict[int, list[list[float]]] = {}
        if self._kept is not None:
            for i, prompt in enumerate(prompts):
                beginning = self._kept.beginning(prompt.ids, self.prefix_tokens if prompt.shares_prefix else 0)
                if beginning is not None:
                    found[i] = layout.lists(self._forward(layout, [prompt], *beginning, split=self.splits_attention))[0]
        rest = [i for i in range(len(prompts)) if i not in found]
        for places in self._passes(layout, prompts, rest):
            batch = [prompts[i] for i in places]
            shared = self._prefix if all(prompt.shares_prefix for prompt in batch) else None
            skip = self.prefix_tokens if shared is not None else 0
            read = layout.lists(self._forward(layout, batch, skip, shared, split=self.splits_attention))
            found.update(zip(places, read, strict=True))
        return [found[i] for i in range(len(prompts))]

    def _passes(self, layout: Layout, prompts: Sequence[Prompt], places: list[int]) -> list[list[int]]:
        """Which of some prompts share a forward pass: all, but where rows are packed no prompt that a layer cannot see whole."""
        if not self.packs_rows:
            return [places] if places else []
        deepest = max(layout.trie.depths) - 1
        together = [i for i in places if self._masks.see_everything(len(prompts[i].ids) + deepest)]
        return [*([together] if together else []), *([i] for i in places if i not in together)]

    def _forward(self, layout: Layout, prompts: Sequence[Prompt], skip: int, shared: KeysValues | None, *, split: bool) -> torch.Tensor:
        """Logits `[batch, places, tokens]` at the places of a layout.

        Args:
            layout: the trie that is read.
            prompts: what is read.
            skip: number of tokens at the beginning of every prompt that are not computed.
            shared: their keys and values; None where there are none.
            split: whether attention is computed in parts.
        """
        columns: Columns | PackedColumns
        packed: list[torch.Tensor] | None = None
        if split and self.packs_rows and len(prompts) > 1:
            columns = PackedColumns(layout, prompts, skip, self._device)
            packed = columns.packed(self._masks.dtype)
        else:
            columns = Columns(layout, prompts, skip, self._device)
        cache = DynamicCache() if self._kept is not None else None
        if shared is not None:
            # Views of the shared tensors; the cache concatenates into new ones, so the originals are never written.
            rows = len(columns.input_ids)
            cache = DynamicCache([(k.expand(rows, -1, -1, -1), v.expand(rows, -1, -1, -1)) for k, v in shared])
        logits = layout.model(
            columns.read_at(),
            split=split,
            packed=packed,
            input_ids=columns.input_ids,
            attention_mask=columns.masks(self._masks, split=split),
            position_ids=columns.positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        if self._kept is not None and cache is not None:
            for i, prompt in enumerate(prompts):
                self._kept.add(prompt.ids, [(columns.of(i, layer.keys), columns.of(i, layer.values)) for layer in cache.layers])
        return columns.at_places(logits)

    def prefill(self) -> KeysValues:
        """Keys and values of the shared prefix, which must not be empty, in a plain cache, which crops nothing."""
        ids = self.renderer.prefix_ids
        count = len(ids)
        positions = torch.arange(count, device=self._device)[None]
        causal = torch.ones(1, count, count, dtype=torch.bool, device=self._device).tril()
        cache = DynamicCache()
        self._layout.model(
            [count - 1],
            input_ids=torch.tensor([list(ids)], device=self._device),
            attention_mask=self._masks(causal, positions, positions),
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        return [(layer.keys, layer.values) for layer in cache.layers]
