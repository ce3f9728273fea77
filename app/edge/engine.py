"""The one-pass verdict: one forward over prompt + answer trie, read at the few positions where the model chooses.

Owns what a forward pass is given. Knows nothing of queues, HTTP or settings, and of no family of models:
whether a model is read exactly is proven when it is loaded (`app/edge/proof.py`). See ARCHITECTURE.md, "One forward pass".
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch

from app.core.errors import EdgeError, FogGateError, InvalidQuestion
from app.core.question import MAX_OPTIONS, Question
from app.core.verdict import JointVerdict
from app.edge.architecture import longest_prompt
from app.edge.bucketed import BucketedPasses, Recorded
from app.edge.buckets import Bucket
from app.edge.devices import useful_batch_size
from app.edge.layout import Layout
from app.edge.masks import Masks
from app.edge.pass_threads import PassThreads, keeps_nothing
from app.edge.passes import Passes
from app.edge.recorded import Recorder, recorder_of
from app.edge.rendering import Prompt, Renderer
from app.edge.split_attention import KeysValues, can_split

# Columns of the largest pass on a GPU: more are no faster for each, and hold more memory.
PASS_COLUMNS = 8192
# Memory of a device that recordings may hold.
_RECORDED_BYTES = 4e9
Result = TypeVar("Result")


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
        buckets: pad passes to a few shapes, which can be recorded (`app/edge/bucketed.py`), where attention is computed in parts; None does
            that on a GPU.
        pass_columns: most columns of such a pass.
        side_by_side: on a CPU, so many threads compute the prompts that share a pass, each with its share of the cores, where they would
            stand in one row and the model notes nothing of a pass in itself; known of a model only where it has a shared prefix.

    Attributes:
        side_by_side: how many do.
        splits_attention: whether that is done.
        uses_buckets: whether that is done.
        packs_rows: whether that is done. A pass on a CPU costs what its columns cost, padding included; a GPU wants few and large steps,
            so there each prompt has a row.
        useful_batch_size: number of questions that are read together beyond which this device answers no more of them a second.

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
        buckets: bool | None = None,
        pass_columns: int = PASS_COLUMNS,
        side_by_side: int = 1,
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
        self.uses_buckets = self.splits_attention and (self._device.type == "cuda" if buckets is None else buckets)
        self.packs_rows = pack and self.splits_attention and not self.uses_buckets and self._device.type == "cpu"
        self._masks = Masks(config, model.dtype)
        self._layout = Layout(model, renderer.trie)
        self._long: Layout | None = None
        self.max_prompt_tokens = self._room(self._layout, max_prompt_tokens)
        self._max_long_prompt_tokens = 0
        self._passes = Passes(
            self._masks,
            renderer.prefix_ids,
            self._device,
            splits=self.splits_attention,
            packs=self.packs_rows,
            # A pass of a shape that comes again is faster than one that is shorter.
            keep=0 if self.uses_buckets else keep_prompts,
        )
        self.side_by_side = 1
        if share_prefix and renderer.prefix_ids:
            with torch.inference_mode():
                self._passes.prefix, pure = self.keeps_nothing(self.prefill)
            if pure and self.packs_rows and side_by_side > 1:
                self.side_by_side, self._passes.threads = side_by_side, PassThreads(side_by_side)
        self.useful_batch_size = self.side_by_side * useful_batch_size(self._device)
        self._buckets = BucketedPasses(self._passes, self._masks, self._device, columns=pass_columns) if self.uses_buckets else None

    @property
    def prefix_tokens(self) -> int:
        """How many tokens of every prompt are computed once instead of each time."""
        return self._passes.prefix_tokens

    def compile(self, *, backend: Any = "inductor") -> float | None:
        """Compile the model's layers, where passes have fixed shapes. To be called before `record`.

        Args:
            backend: what makes code of a layer, in the words of `torch.compile`.

        Returns:
            How many seconds that took; None where they are not compiled.
        """
        return None if self._buckets is None else self._buckets.compile(self._layout, self.max_prompt_tokens, backend)

    def tell_passes(self, told: Callable[[str], None]) -> None:
        """Tell of each pass from now on whether it was `replayed` or `eager`; of none where passes have no fixed shapes."""
        if self._buckets is not None:
            self._buckets.on_pass = told

    def record(
        self, recorder: Recorder | None = None, *, longest: int = 2048, seconds: float = 60.0, shapes: Sequence[Bucket] | None = None
    ) -> Recorded | None:
        """Record passes of fixed shapes, so that they are replayed from now on; takes seconds. Where nothing can be recorded, nothing is.

        Args:
            recorder: makes the recordings; None takes what the device has.
            longest: tokens of the longest prompt whose passes are recorded.
            seconds: about how long it may take.
            shapes: what is recorded; None for every shape up to that length.

        Returns:
            What was recorded; None where passes have no fixed shapes, or the device records nothing.
        """
        recorder = recorder or recorder_of(self._device)
        if self._buckets is None or recorder is None:
            return None
        longest = min(longest, self.max_prompt_tokens)
        return self._buckets.record(self._layout, recorder, longest, seconds=seconds, bytes_=_RECORDED_BYTES, shapes=shapes)

    def as_written(self) -> None:
        """Use no recorded pass and no compiled layer from now on."""
        if self._buckets is not None:
            self._buckets.as_written()

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
        """The verdict on each prompt, in order, each from one forward pass: on a CPU as many as run side by side, with a part of the prompts each; on
        a GPU passes of bounded size; and in both cases others for questions with more options than letters.

        Args:
            prompts: at least one; any mixture of lengths and option counts.
            temperature: divides the logits at every branching before its softmax (greedy choices do not change).

        Raises:
            EdgeError: the model's numbers on some of the questions are not a distribution (NaN or infinite logits); it
                carries the verdicts on the others.
        """
        found: dict[int, JointVerdict | None] = {}
        for long in (False, True):
            members = [at for at, prompt in enumerate(prompts) if (prompt.options > MAX_OPTIONS) is long]
            if not members:
                continue
            layout = self._layout_for(prompts[members[0]].options)
            reader = self._buckets or self._passes
            for places, logits in reader.read(layout, [prompts[at] for at in members]):
                asked = [members[place] for place in places]
                verdicts = layout.reading.verdicts(logits, [prompts[at].options for at in asked], temperature)
                found.update(zip(asked, verdicts, strict=True))
        in_order = [found[at] for at in range(len(prompts))]
        sound = [verdict for verdict in in_order if verdict is not None]
        if len(sound) < len(in_order):
            unsound = len(in_order) - len(sound)
            raise EdgeError(f"the edge model's output on {unsound} of {len(in_order)} questions is not finite", verdicts=in_order)
        return sound

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
        return self._layout.split(self._passes.forward(self._layout, prompts, skip, shared, split=False))

    def keeps_nothing(self, passes: Callable[[], Result]) -> tuple[Result, bool]:
        """What some passes give, and whether they left the model's modules as they were: see `app.edge.pass_threads`."""
        return keeps_nothing(self._layout.model.inner, passes)

    def prefill(self) -> KeysValues:
        """Keys and values of the shared prefix, which must not be empty."""
        return self._passes.prefill(self._layout)
