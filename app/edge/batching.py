"""Which of the waiting questions share a forward pass: a pure function of their prompts. Knows no queue and no clock."""

from collections.abc import Sequence

from app.edge.rendering import Prompt


def choose(prompts: Sequence[Prompt], *, max_size: int, max_tokens: int, max_padding_share: float) -> set[int]:
    """Indices of the prompts of the next batch; takes O(n log n).

    The first prompt, the one that has waited longest, is always among them, so that nobody starves. The others are those
    nearest to it in length, of equally near ones the older, as long as the batch keeps within its bounds.

    Args:
        prompts: what waits, oldest first; at least one.
        max_size: prompts per batch.
        max_tokens: tokens of the longest prompt times the number of prompts; a single longer prompt is still chosen, alone.
        max_padding_share: share of padding among the columns that are computed for prompts (in [0, 1]). Every prompt is
            padded to the longest of its batch; tokens of a cached prefix are neither computed nor padded.
    """
    first = prompts[0]
    chosen, width, computed = {0}, first.computed, first.computed
    # A prompt with another prefix would make the engine compute the prefix of all of them again.
    alike = [index for index in range(1, len(prompts)) if prompts[index].cached == first.cached]
    # The sort is stable: equally near ones stay in the order of their age.
    for index in sorted(alike, key=lambda index: abs(prompts[index].computed - first.computed)):
        if len(chosen) == max_size:
            break
        candidate = prompts[index].computed
        size, wider = len(chosen) + 1, max(width, candidate)
        padding = wider * size - computed - candidate
        if (wider + first.cached) * size > max_tokens or padding > max_padding_share * wider * size:
            continue
        chosen.add(index)
        width, computed = wider, computed + candidate
    return chosen
