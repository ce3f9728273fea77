"""Where a server's processor time goes: its stack is looked at from time to time, and the time since the last look counts for what it shows.

A timer of the system (`ITIMER_PROF`, setitimer(2)) sends a signal after each few milliseconds of processor time, and Python calls the
handler in the main thread, which runs the event loop. A look costs some microseconds, so that the profile is that of the server at its
usual speed; a profiler that counts every call (cProfile) makes small functions look expensive. The time of functions in C counts for the
Python function that called them.
"""

import signal
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

_EVERY_S = 0.002
# Frames that are looked at, from the innermost one; handlers behind many layers have some fifty.
_DEPTH = 120
_SHOWN = 25
_OTHERS = "other threads"
_PACKAGES = "site-packages"
_OURS = Path(__file__).parents[2].name


class Sampler:
    """Looks at the main thread while the process runs. One per process; made and started in the main thread."""

    def __init__(self) -> None:
        self._parts: defaultdict[str, float] = defaultdict(float)
        self._within: defaultdict[str, float] = defaultdict(float)
        self._functions: defaultdict[str, float] = defaultdict(float)
        self._known: dict[str, str] = {}
        self.looks = 0

    def start(self) -> None:
        """Begin."""
        self._thread_s, self._process_s = time.thread_time(), time.process_time()
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)

    def stop(self) -> dict[str, Any]:
        """End, and return the profile as a JSON object. Shares are those of all processor time of the process since `start`.

        - seconds: processor time; looks: number of looks
        - parts: by package, the share of time in its own functions
        - within: by package, the share of time in its functions and in everything that they call
        - functions: the functions with the largest shares of their own
        """
        signal.setitimer(signal.ITIMER_PROF, 0)
        whole = sum(self._parts.values())
        share = {name: seconds / whole if whole else 0.0 for name, seconds in self._parts.items()}
        return {
            "seconds": round(whole, 3),
            "looks": self.looks,
            "parts": _largest(share),
            "within": _largest({name: seconds / whole for name, seconds in self._within.items()} if whole else {}),
            "functions": dict(list(_largest({name: seconds / whole for name, seconds in self._functions.items()}).items())[:_SHOWN])
            if whole
            else {},
        }

    def _look(self, _: int, frame: FrameType | None) -> None:
        thread_s, process_s = time.thread_time(), time.process_time()
        ours = thread_s - self._thread_s
        # The signal comes for the time of any thread.
        self._parts[_OTHERS] += max(0.0, process_s - self._process_s - ours)
        self._thread_s, self._process_s = thread_s, process_s
        self.looks += 1
        if frame is None:
            return
        part = self._part(frame.f_code.co_filename)
        self._parts[part] += ours
        self._functions[f"{part}: {frame.f_code.co_qualname}"] += ours
        seen, depth, at = set(), 0, frame
        while at is not None and depth < _DEPTH:
            seen.add(self._part(at.f_code.co_filename))
            at, depth = at.f_back, depth + 1  # type: ignore[assignment]  # the last frame has none behind it
        for name in seen:
            self._within[name] += ours

    def _part(self, path: str) -> str:
        found = self._known.get(path)
        if found is None:
            found = self._known[path] = part_of(path)
        return found


def part_of(path: str) -> str:
    """The part of a program that a file of source text belongs to: `app.core`, an installed package, or a module of Python's own."""
    if path.startswith("<"):
        return "python"
    places = Path(path).with_suffix("").parts
    if _PACKAGES in places:
        return places[places.index(_PACKAGES) + 1]
    if _OURS in places:
        at = len(places) - 1 - places[::-1].index(_OURS)
        return ".".join(places[at : at + 2])
    folder = places[-2] if len(places) > 1 else ""
    if folder.startswith("python"):
        return f"python: {places[-1]}"
    return f"python: {folder}" if any(place.startswith("python") for place in places) else folder


def _largest(shares: dict[str, float]) -> dict[str, float]:
    return {name: round(share, 4) for name, share in sorted(shares.items(), key=lambda one: -one[1])}
