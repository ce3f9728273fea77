"""Free greedy generation, as in FogGen's published protocol: nothing is constrained. For evaluation only; serving never uses it."""

from collections.abc import Sequence
from typing import Any

import torch

from app.core.question import Question
from app.edge.rendering import Renderer


class FreeGenerator:
    """Generates text without constraining its format.

    Args:
        model: a transformers causal language model in evaluation mode.
        renderer: renders the prompts, the same as those of the one-pass verdict.
        max_new_tokens: tokens to write at most, as in FogGen's protocol: enough for the format and little else.
    """

    def __init__(self, model: Any, renderer: Renderer, *, max_new_tokens: int = 64) -> None:
        self._model = model
        self._renderer = renderer
        self._max_new_tokens = max_new_tokens
        known = model.generation_config.eos_token_id
        ends = {renderer.end_of_turn, *(known if isinstance(known, list) else [known])}
        self._ends = sorted(token for token in ends if token is not None)

    @torch.inference_mode()
    def texts(self, questions: Sequence[Question]) -> list[str]:
        """The text that the model writes for each question, without special tokens; one left-padded batch."""
        prompts = [self._renderer.prompt(question).ids for question in questions]
        width = max(map(len, prompts))
        device = self._model.device
        ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
        written = self._model.generate(
            ids,
            attention_mask=mask,
            do_sample=False,
            # A checkpoint's sampling defaults would only cause warnings here.
            temperature=None,
            top_p=None,
            top_k=None,
            max_new_tokens=self._max_new_tokens,
            eos_token_id=self._ends or None,
            pad_token_id=self._ends[0] if self._ends else 0,
        )
        return [self._renderer.decode(row) for row in written[:, width:].tolist()]
