"""Question → prompt tokens for one tokenizer: chat template, control tokens, and the prefix that all prompts share."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.prompt import PromptFamily
from app.core.question import Question
from app.edge.templates import ChatTemplate
from app.edge.trie import VerdictTrie, build_long_trie, build_trie

# Starts of user text that tokenizers are known to merge with what stands before (newlines, blanks) and plain ones:
# the shared prefix is what survives all of them, and every real prompt is checked against it again.
_PROBES = ("What", "\n", "\n\nx", " ", "  x", "\t", "1", ".", "(", "'s", "的", "Қазақ", "😀", "<", "-")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered question.

    Attributes:
        ids: token ids.
        options: how many options the question offers.
        shares_prefix: whether it starts with the shared prefix.
        cached: how many of its first tokens are not computed again, because the engine keeps their keys and values.
        nodes: how many tokens of the answer trie are computed behind it.
    """

    ids: tuple[int, ...]
    options: int
    shares_prefix: bool
    cached: int = 0
    nodes: int = 0

    @property
    def computed(self) -> int:
        """How many of its tokens a forward pass computes."""
        return len(self.ids) - self.cached

    @property
    def columns(self) -> int:
        """How many tokens a forward pass computes for it in all: on a CPU, the measure of what it costs."""
        return len(self.ids) - self.cached + self.nodes


class Renderer:
    """Renders questions exactly as the model's own chat template does, and knows the answer trie behind them.

    Args:
        tokenizer: a Hugging Face tokenizer with a chat template.
        family: wording of the system prompt.

    Raises:
        ConfigError: no usable chat template, or an answer space that this tokenizer cannot write (see `build_trie`).
    """

    def __init__(self, tokenizer: Any, family: PromptFamily) -> None:
        self._tokenizer = tokenizer
        self._family = family
        self._template = ChatTemplate(tokenizer, family)
        self.control_tokens = _control_tokens(tokenizer)
        probes = [self.render(Question(probe + "x", ("x", "y"))) for probe in _PROBES]
        self._probe = probes[0]
        self.trie: VerdictTrie = build_trie(self.encode, probes[0])
        encoded = [self.encode(probe) for probe in probes]
        shared = 0
        # One token at least is left to the prompt itself: its last position is the trie's root.
        while shared < min(map(len, encoded)) - 1 and len({ids[shared] for ids in encoded}) == 1:
            shared += 1
        self.prefix_ids: tuple[int, ...] = tuple(encoded[0][:shared])
        rendered = json.dumps([probes, encoded], ensure_ascii=True)
        # 12 hex digits that change with the rules, the template, the form of the conversation and the tokens of a prompt.
        self.prompt_fingerprint: str = hashlib.sha256(rendered.encode()).hexdigest()[:12]

    def long_trie(self) -> VerdictTrie:
        """The trie of questions with more options than letters; made anew each time.

        Raises:
            ConfigError: this tokenizer cannot write their labels.
        """
        return build_long_trie(self.encode, self._read_apart(self._probe))

    def _read_apart(self, prompt: str) -> str:
        """The end of a prompt behind its last control token, if that alone has the same tokens: more than a thousand texts are tokenised
        behind it.
        """
        start = max((prompt.rfind(token) + len(token) for token in self.control_tokens if token in prompt), default=0)
        whole, alone = self.encode(prompt), self.encode(prompt[start:])
        return prompt[start:] if alone and whole[-len(alone) :] == alone else prompt

    @property
    def end_of_turn(self) -> int | None:
        """The token with which the model ends its turn."""
        token: int | None = self._tokenizer.eos_token_id
        return token

    def decode(self, ids: Sequence[int]) -> str:
        """Text of written tokens, special tokens left out."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def encode(self, text: str) -> list[int]:
        """Token ids of rendered text: control tokens are recognised, none is added."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of several texts, as `encode` gives them, from one call of the tokenizer."""
        if not texts:
            return []
        ids: list[list[int]] = self._tokenizer([*texts], add_special_tokens=False, return_attention_mask=False)["input_ids"]
        return ids

    def render(self, question: Question) -> str:
        """The chat prompt as text, up to where the model begins to write."""
        return self._template.render(question, self.control_tokens)

    def messages(self, question: Question) -> list[dict[str, Any]]:
        """The conversation that `render` renders, in the form that the template takes."""
        return self._template.messages(question, self.control_tokens)

    def prompt(self, question: Question) -> Prompt:
        """The tokens that the model reads before it answers."""
        return self.prompt_of(self.encode(self.render(question)), len(question.options))

    def prompt_of(self, ids: Sequence[int], options: int) -> Prompt:
        """A prompt of these tokens, for a question with so many options."""
        return Prompt(tuple(ids), options, tuple(ids[: len(self.prefix_ids)]) == self.prefix_ids)


def _control_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Added tokens that steer a conversation: the special ones, and any other that the chat template writes itself.

    Plain words that a tokenizer keeps whole (Gemma's HTML tags and runs of newlines) are ordinary text and stay.
    """
    template = str(tokenizer.chat_template)
    added = tokenizer.added_tokens_decoder.values()
    found = {token.content for token in added if token.special or (token.content in template and token.content.startswith(("<", "[")))}
    return tuple(sorted(text for text in found if len(text) > 1 and not text[1].isspace()))
