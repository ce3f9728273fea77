"""Passes that are recorded once and replayed: a CUDA graph starts all kernels of a pass at once, which Python cannot do as fast.

What is recorded reads and writes the same memory at each replay. A recording is used only where it was seen to give what the pass itself
gives.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import torch

# A pass on the device: the tensor of `app/edge/slots.py` → the logits at every place.
Pass = Callable[[torch.Tensor], torch.Tensor]
# Most by which the logits of a place may differ from expected ones, in nats, beside an offset that all of them share: probabilities do not see
# it, and it is large in a trained model. The same kernels on the same numbers differ by nothing.
REPLAY_NATS, REPLAY_NATS_FLOAT32 = 0.1, 1e-3


class Replay(Protocol):
    """A recorded pass."""

    def __call__(self, table: torch.Tensor) -> torch.Tensor:
        """The logits of a tensor on the host; they are overwritten by the next replay of any recording."""


class Recorder(Protocol):
    """Makes recordings.

    Attributes:
        bytes: memory that the recordings hold.
    """

    @property
    def bytes(self) -> int: ...

    def record(self, run: Pass, table: torch.Tensor) -> Replay:
        """Record a pass.

        Args:
            run: the pass.
            table: a tensor on the host of the shape that is recorded.

        Raises:
            Exception: it cannot be recorded.
        """

    def trim(self) -> None:
        """Give back the memory that recording needed and recordings do not."""


class Graph:
    """A CUDA graph and the tensors that it reads and writes. See `Replay`."""

    def __init__(self, graph: torch.cuda.CUDAGraph, table: torch.Tensor, logits: torch.Tensor) -> None:
        self._graph, self._table, self._logits = graph, table, logits

    def __call__(self, table: torch.Tensor) -> torch.Tensor:
        """Copy what the pass reads, and start it; both are done when the stream has come so far."""
        self._table.copy_(table, non_blocking=True)
        self._graph.replay()
        return self._logits


class GraphRecorder:
    """Records CUDA graphs in one pool of memory, on a stream of its own. See `Recorder`.

    Args:
        device: the CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._before = torch.cuda.memory_reserved(device)

    @property
    def bytes(self) -> int:
        """Memory that torch has reserved on the device since the first recording."""
        return max(0, torch.cuda.memory_reserved(self._device) - self._before)

    def record(self, run: Pass, table: torch.Tensor) -> Graph:
        """Run a pass, so that kernels are loaded and libraries have their memory, then record it."""
        static = table.to(self._device)
        here = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            run(static)
            self._stream.synchronize()
            # Not `torch.cuda.graph`, which collects garbage and empties torch's memory each time.
            graph = torch.cuda.CUDAGraph()
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                logits = run(static)
            except BaseException:
                # Ends the recording; that it is of no use is known.
                with suppress(Exception):
                    graph.capture_end()
                # It is left out where the end fails, and torch would go on to take memory from the pool.
                with suppress(Exception):
                    torch._C._cuda_endAllocateToPool(self._device.index or 0, self._pool)  # noqa: SLF001
                raise
            graph.capture_end()
        here.wait_stream(self._stream)
        return Graph(graph, static, logits)

    def trim(self) -> None:
        """Give back what the passes before each recording needed, on the stream of the recordings."""
        torch.cuda.empty_cache()


def matches(found: torch.Tensor, expected: torch.Tensor, nats: float) -> bool:
    """Whether logits `[rows, places, children]` give the probabilities of expected ones, but for rounding.

    Args:
        found: logits of a replay, or of compiled layers.
        expected: logits of the pass itself.
        nats: most by which two logits of a place may have moved apart.
    """
    moved = found.float() - expected.float()
    # Written so that NaN is refused.
    return bool((moved.amax(dim=-1) - moved.amin(dim=-1)).max() <= nats)


def recorder_of(device: torch.device) -> Recorder | None:
    """What records passes on a device; None where nothing does."""
    return GraphRecorder(device) if device.type == "cuda" else None
