"""The answer space as a token trie: every `Confidence: <b>\\nFinal answer: <L>` behind a rendered prompt.

Pure token arithmetic, no torch: which tokens stand where, who may see whom, and at which nodes the model really has a
choice. The engine turns it into tensors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.core.buckets import BUCKET_LABELS
from app.core.errors import ConfigError
from app.core.prompt import answer_text
from app.core.question import LETTERS, LONG_LABELS

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
class LabelBranching(Branching):
    """A node behind a bucket where the label is chosen, or a part of it.

    Attributes:
        firsts: for each child, the index of the first label whose tokens go through it. A child is offered where that label is: the
            labels of a question are the first ones of the alphabet.
    """

    firsts: tuple[int, ...]

    def offered(self, options: int) -> list[int]:
        """Which children lead to one of so many labels."""
        return [child for child, first in enumerate(self.firsts) if first < options]


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels behind one bucket.

    Attributes:
        branchings: nodes with more than one child, those nearer to the root first; with single tokens, only the bucket's last node.
        steps: for each label, the (branching, child) indices that its tokens take.
    """

    branchings: tuple[LabelBranching, ...]
    steps: tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True, slots=True)
class VerdictTrie:
    """The five bucket paths merged into a trie, and behind each of them the labels; the last token of a label is no node.

    Attributes:
        tokens: token id of each node, parents before children.
        parents: parent index of each node (`ROOT` = -1 for the first ones).
        depths: 1 for a child of the root; a node's position id is `len(prompt) - 1 + depth`.
        branchings: nodes with more than one child on the way to a bucket.
        choices: per bucket, the (branching, child) indices that its path takes, from the root down.
        leaves: per bucket, the node after which the label is written.
        labels: per bucket, its labels.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    branchings: tuple[Branching, ...]
    choices: tuple[tuple[tuple[int, int], ...], ...]
    leaves: tuple[int, ...]
    labels: tuple[Labels, ...]

    @property
    def letters(self) -> tuple[tuple[int, ...], ...]:
        """Per bucket, the token id of each of `LETTERS` in that place; for the trie whose labels are single tokens."""
        return tuple(labels.branchings[0].tokens for labels in self.labels)

    @property
    def places(self) -> list[Branching]:
        """Every place that is read: first where buckets part, then where labels do, bucket by bucket."""
        return [*self.branchings, *(branching for labels in self.labels for branching in labels.branchings)]

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
    """Build the trie of single letters from the model's own tokenizer.

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
        letters.append([(token,) for token in row])
    return _merge(paths, letters)


def build_long_trie(encode: Encode, prompt: str) -> VerdictTrie:
    """Build the trie of `LONG_LABELS`, each of which may be one token or several, as the tokenizer writes them.

    The arguments are those of `build_trie`; of the prompt, the part that the tokenizer does not read apart from the answer is enough.

    Raises:
        ConfigError: this tokenizer writes two labels with the same tokens, or one as the beginning of another.
    """
    paths, tails = [], []
    for label in BUCKET_LABELS:
        encoded = [continuation(encode, prompt, answer_text(label, name)) for name in LONG_LABELS]
        stem = common_start(encoded)
        paths.append(encoded[0][:stem])
        tails.append([tuple(ids[stem:]) for ids in encoded])
    return _merge(paths, tails)


def common_start(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with."""
    return next((at for at, tokens in enumerate(zip(*rows, strict=False)) if len(set(tokens)) > 1), min(map(len, rows)))


@dataclass(slots=True)
class _Nodes:
    """Nodes while a trie is made."""

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    children: dict[int, dict[int, int]] = field(default_factory=lambda: {ROOT: {}})

    def child(self, node: int, token: int) -> int:
        """The child of a node with this token, which is made where there is none."""
        below = self.children[node]
        if token not in below:
            below[token] = len(self.tokens)
            self.children[below[token]] = {}
            self.tokens.append(token)
            self.parents.append(node)
            self.depths.append(1 if node == ROOT else self.depths[node] + 1)
        return below[token]


def _merge(paths: Sequence[Sequence[int]], tails: Sequence[Sequence[tuple[int, ...]]]) -> VerdictTrie:
    """Merge the paths of the buckets; `tails` are, per bucket, the tokens of each label behind its path."""
    nodes = _Nodes()
    walks: list[list[tuple[int, int]]] = []
    leaves = []
    for path in paths:
        node, walk = ROOT, []
        for token in path:
            walk.append((node, token))
            node = nodes.child(node, token)
        walks.append(walk)
        leaves.append(node)
    inside = [label for label, leaf in zip(BUCKET_LABELS, leaves, strict=True) if nodes.children[leaf] or leaves.count(leaf) > 1]
    if inside:
        raise ConfigError(f"confidence {inside[0]} is the start of another in this tokenizer; this model cannot be used")
    branchings = tuple(Branching(node, tuple(below)) for node, below in nodes.children.items() if len(below) > 1)
    where = {branching.node: index for index, branching in enumerate(branchings)}
    choices = tuple(
        tuple((where[node], branchings[where[node]].tokens.index(token)) for node, token in walk if node in where) for walk in walks
    )
    labels = tuple(_behind(nodes, leaf, rows) for leaf, rows in zip(leaves, tails, strict=True))
    return VerdictTrie(tuple(nodes.tokens), tuple(nodes.parents), tuple(nodes.depths), branchings, choices, tuple(leaves), labels)


def _behind(nodes: _Nodes, leaf: int, tails: Sequence[tuple[int, ...]]) -> Labels:
    """The labels behind a bucket's last node. Raises ConfigError."""
    starts = {tail[:size] for tail in tails for size in range(len(tail))}
    if len(set(tails)) < len(tails) or not starts.isdisjoint(tails):
        raise ConfigError("one option label is the start of another in this tokenizer")
    # Per node, its children's tokens and the first label that goes through each.
    firsts: dict[int, dict[int, int]] = {leaf: {}}
    walks = []
    for index, tail in enumerate(tails):
        node, walk = leaf, []
        for at, token in enumerate(tail):
            firsts.setdefault(node, {}).setdefault(token, index)
            walk.append((node, token))
            if at < len(tail) - 1:
                node = nodes.child(node, token)
        walks.append(walk)
    branchings = tuple(LabelBranching(node, tuple(below), tuple(below.values())) for node, below in firsts.items() if len(below) > 1)
    where = {branching.node: index for index, branching in enumerate(branchings)}
    steps = tuple(
        tuple((where[node], branchings[where[node]].tokens.index(token)) for node, token in walk if node in where) for walk in walks
    )
    return Labels(branchings, steps)
