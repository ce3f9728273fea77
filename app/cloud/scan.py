"""Patterns over a long text, in steps that each take a few milliseconds."""

import re
from collections.abc import Iterator

# `re` holds the interpreter's lock for as long as one search takes, so the event loop stands still meanwhile. A step looks at so many
# characters for the beginning of a match, and at so many more behind them: no pattern of a claim looks further.
_STEP, _BEHIND = 2_000, 1_000


def matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The same as `pattern.finditer(text)`, for patterns that look no further than 1,000 characters behind the beginning of a match."""
    at = 0
    while at < len(text):
        end = at + _STEP
        match = pattern.search(text, at, end + _BEHIND)
        if match is None or match.start() >= end:
            at = end
            continue
        # The end of a step is not the end of the text: what matches there may not match in the whole of it.
        whole = pattern.match(text, match.start())
        if whole is None:
            at = match.start() + 1
            continue
        yield whole
        at = whole.end() + (whole.end() == whole.start())
