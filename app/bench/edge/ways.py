"""The ways to answer prompts with one model that are compared: one pass, a bare prefill, and the reference's `generate`."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from app.core.question import Question
from app.edge.engine import VerdictEngine
from app.edge.loader import LoadedModel
from app.edge.rendering import Prompt

VERDICT, PREFILL, GENERATE = "one pass", "bare prefill", "generate"


@dataclass(frozen=True)
class Prepared:
    """A question with its prompt.

    Attributes:
        question: the question.
        prompt: what the model reads.
        answer_tokens: tokens of the answer in the fixed format, up to the letter, at the confidence that the model would write.
    """

    question: Question
    prompt: Prompt
    answer_tokens: int


class Ways:
    """One model and the ways to ask it. All have the same weights, dtype, device and threads.

    Args:
        loaded: the model.
        engine: its one-pass engine.

    Attributes:
        passes: forward passes of the engine so far, by how they were made (`replayed` from a recording, or `eager`), where it tells that.
    """

    def __init__(self, loaded: LoadedModel, engine: VerdictEngine) -> None:
        self.model, self.engine = loaded.model, engine
        self._pad = loaded.tokenizer.pad_token_id or 0
        self.passes: Counter[str] = Counter()
        # Only an engine whose passes have fixed shapes tells how each was made.
        tell = getattr(engine, "tell_passes", None)
        if tell is not None:
            tell(self._count)

    def _count(self, how: str) -> None:
        self.passes[how] += 1

    @property
    def nodes(self) -> int:
        """Columns of the trie behind each prompt."""
        return len(self.engine.renderer.trie)

    def prepare(self, questions: Sequence[Question]) -> list[Prepared]:
        """Render the questions. The answer of each is read once, because its length depends on the confidence."""
        prompts = [self.engine.prepare(question) for question in questions]
        size = self.engine.useful_batch_size
        verdicts = [verdict for start in range(0, len(prompts), size) for verdict in self.engine.verdicts(prompts[start : start + size])]
        path = self.engine.renderer.trie.path
        return [
            Prepared(question, prompt, len(path(verdict.greedy_bucket)) + 1)
            for question, prompt, verdict in zip(questions, prompts, verdicts, strict=True)
        ]

    def verdict(self, batch: Sequence[Prepared]) -> None:
        """One pass, as the gateway serves it."""
        self.engine.verdicts([each.prompt for each in batch])

    def prefill(self, batch: Sequence[Prepared]) -> None:
        """The whole prompts with an empty cache, and the logits of their last tokens only: what no answer can be had without."""
        ids, mask = self._padded(batch)
        # One number comes to the host, so that a GPU has finished.
        self.model(input_ids=ids, attention_mask=mask, logits_to_keep=1).logits[0, 0, 0].item()

    def generate(self, batch: Sequence[Prepared]) -> None:
        """Greedy `generate` of as many tokens as the longest answer of the batch has: the reference (FogGen's protocol)."""
        ids, mask = self._padded(batch)
        count = max(each.answer_tokens for each in batch)
        written = self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids) if mask is None else mask,
            do_sample=False,
            max_new_tokens=count,
            min_new_tokens=count,
            pad_token_id=self._pad,
        )
        written[0, -1].item()

    def named(self) -> dict[str, Callable[[Sequence[Prepared]], None]]:
        """All ways by name."""
        return {VERDICT: self.verdict, PREFILL: self.prefill, GENERATE: self.generate}

    def useful_columns(self, name: str, batch: Sequence[Prepared]) -> int:
        """Columns of a batch that are no padding: those that a way has to compute."""
        if name == VERDICT:
            shared = all(each.prompt.shares_prefix for each in batch)
            return sum((each.prompt.computed if shared else len(each.prompt.ids)) + self.nodes for each in batch)
        return sum(len(each.prompt.ids) + (each.answer_tokens - 1 if name == GENERATE else 0) for each in batch)

    def _padded(self, batch: Sequence[Prepared]) -> tuple[Any, Any]:
        """Ids padded on the left, and the mask; None where all have one length, since plain causal attention is the fastest."""
        lengths = [len(each.prompt.ids) for each in batch]
        width, device = max(lengths), self.model.device
        rows = [[self._pad] * (width - length) + list(each.prompt.ids) for each, length in zip(batch, lengths, strict=True)]
        ids = torch.tensor(rows, device=device)
        if min(lengths) == width:
            return ids, None
        return ids, torch.tensor([[0] * (width - length) + [1] * length for length in lengths], device=device)
