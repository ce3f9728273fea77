"""Keys and values of the last prompts, so that a question that is asked again in another order of its options is not computed anew."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from itertools import takewhile

from app.edge.split_attention import KeysValues

# A shorter common beginning is not worth a forward pass apart from the batch.
_FEWEST = 8


class KeptPrompts:
    """The keys and values of the newest prompts, the oldest forgotten first. Several threads may add at once; none may look meanwhile.

    Args:
        size: number of prompts that are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[int, ...], KeysValues] = OrderedDict()
        self._adding = threading.Lock()

    def add(self, ids: tuple[int, ...], keys_values: KeysValues) -> None:
        """Keep a prompt.

        Args:
            ids: its token ids.
            keys_values: of these tokens, in order and without padding; nobody writes to them afterwards.
        """
        with self._adding:
            self._kept[ids] = keys_values
            self._kept.move_to_end(ids)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def beginning(self, ids: tuple[int, ...], known: int) -> tuple[int, KeysValues] | None:
        """The longest beginning that a kept prompt shares with this one, and its keys and values; the prompt's last token is never in it.

        Args:
            ids: token ids of the prompt.
            known: number of its first tokens whose keys and values are known in any case.

        Returns:
            The number of tokens and views of their keys and values; None where that is not much more than what is known.
        """
        longest, best = 0, None
        for kept in self._kept:
            common = _common(kept, ids)
            if common > longest:
                longest, best = common, kept
        longest = min(longest, len(ids) - 1)
        if best is None or longest < known + _FEWEST:
            return None
        return longest, [(keys[:, :, :longest], values[:, :, :longest]) for keys, values in self._kept[best]]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Number of equal tokens at the beginning of both."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
