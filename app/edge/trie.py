"""The answer space as a token trie: every `Confidence: <b>\\nFinal answer: <L>` behind a rendered prompt.

Pure token arithmetic, no torch: which tokens stand where, who may see whom, and at which nodes the model really has a
choice. The engine turns it into tensors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.core.errors import ConfigError
from app.core.prompt import answer_text
from app.core.question import LETTERS
from app.core.verdict import BUCKET_LABELS

Encode = Callable[[str], list[int]]

# The last prompt token is the trie's root: node 0 hangs below it.
ROOT = -1


@dataclass(frozen=True, slots=True)
class Branching:
    """A node where greedy decoding chooses.

    Attributes:
        node: index of the node (`ROOT` for the last prompt token).
        tokens: ids of its children, in the order in which the paths first reach them.
    """

    node: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VerdictTrie:
    """The five bucket paths merged into a trie; the letters are read at each path's last node and are not nodes.

    Attributes:
        tokens: token id of each node, parents before children.
        parents: parent index of each node (`ROOT` = -1 for the first ones).
        depths: 1 for a child of the root; a node's position id is `len(prompt) - 1 + depth`.
        branchings: nodes with more than one child.
        choices: per bucket, the (branching, child) indices that its path takes, from the root down.
        leaves: per bucket, the node after which the letter is written.
        letters: per bucket, the token id of each of `LETTERS` in that place.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    branchings: tuple[Branching, ...]
    choices: tuple[tuple[tuple[int, int], ...], ...]
    leaves: tuple[int, ...]
    letters: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.tokens)

    def ancestors(self, node: int) -> list[int]:
        """The node itself and everything above it, the root left out."""
        chain = []
        while node != ROOT:
            chain.append(node)
            node = self.parents[node]
        return chain

    def path(self, bucket: int) -> list[int]:
        """Token ids that greedy decoding writes for a bucket, up to and without the letter."""
        return [self.tokens[node] for node in reversed(self.ancestors(self.leaves[bucket]))]


def continuation(encode: Encode, prompt: str, text: str) -> list[int]:
    """Token ids of `text` as a continuation of `prompt`.

    Raises:
        ConfigError: the tokenizer merges the end of the prompt with the start of the text, so that decoding after the
            prompt could never write these tokens.
    """
    head, whole = encode(prompt), encode(prompt + text)
    if whole[: len(head)] != head:
        raise ConfigError(
            f"the tokenizer merges the end of the chat prompt with the first word of the answer, '{text.split(maxsplit=1)[0]}'; this model cannot be used"
        )
    return whole[len(head) :]


def build_trie(encode: Encode, prompt: str) -> VerdictTrie:
    """Build the trie from the model's own tokenizer.

    Args:
        encode: text → token ids, no special tokens added, control tokens recognised.
        prompt: any rendered chat prompt, generation prompt included.

    Raises:
        ConfigError: an option letter is not a single token in its place, or two of them share one.
    """
    paths, letters = [], []
    for label in BUCKET_LABELS:
        encoded = [continuation(encode, prompt, answer_text(label, letter)) for letter in LETTERS]
        stem = encoded[0][:-1]
        for letter, ids in zip(LETTERS, encoded, strict=True):
            if ids[:-1] != stem:
                raise ConfigError(
                    f"option letter {letter} is not a single token after 'Final answer:' in this tokenizer (behind confidence {label}); this "
                    "model cannot be used"
                )
        row = tuple(ids[-1] for ids in encoded)
        shared = [letter for letter, token in zip(LETTERS, row, strict=True) if row.count(token) > 1]
        if shared:
            raise ConfigError(f"two option letters share a token in this tokenizer ({', '.join(shared)}); this model cannot be used")
        paths.append(stem)
        letters.append(row)
    return _merge(paths, letters)


def _merge(paths: Sequence[Sequence[int]], letters: Sequence[tuple[int, ...]]) -> VerdictTrie:
    tokens: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    children: dict[int, dict[int, int]] = {ROOT: {}}
    walks: list[list[tuple[int, int]]] = []
    for path in paths:
        node, walk = ROOT, []
        for depth, token in enumerate(path, start=1):
            if token not in children[node]:
                children[node][token] = len(tokens)
                children[len(tokens)] = {}
                tokens.append(token)
                parents.append(node)
                depths.append(depth)
            walk.append((node, token))
            node = children[node][token]
        walks.append(walk)
    branchings = tuple(Branching(node, tuple(below)) for node, below in children.items() if len(below) > 1)
    where = {branching.node: index for index, branching in enumerate(branchings)}
    leaves = tuple(children[walk[-1][0]][walk[-1][1]] for walk in walks)
    inside = [label for label, leaf in zip(BUCKET_LABELS, leaves, strict=True) if children[leaf] or leaves.count(leaf) > 1]
    if inside:
        raise ConfigError(f"confidence {inside[0]} is the start of another in this tokenizer; this model cannot be used")
    choices = tuple(
        tuple((where[node], branchings[where[node]].tokens.index(token)) for node, token in walk if node in where) for walk in walks
    )
    return VerdictTrie(tuple(tokens), tuple(parents), tuple(depths), branchings, choices, leaves, tuple(letters))
