"""Prompts → forward passes of a few fixed shapes, for a GPU: many are started before the first is read, and known shapes are replayed."""

import gc
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from app.core.errors import first_line
from app.edge.buckets import Bucket, Buckets
from app.edge.devices import is_out_of_memory
from app.edge.fused import CompiledLayers
from app.edge.layout import Layout
from app.edge.lean import collector_paused
from app.edge.masks import Masks
from app.edge.passes import Passes, Read, is_seen
from app.edge.recorded import REPLAY_NATS, REPLAY_NATS_FLOAT32, Recorder, Replay, matches
from app.edge.rendering import Prompt
from app.edge.slots import Slots, filled

logger = logging.getLogger(__name__)

# Most by which two logits of a place may move apart where layers are compiled, which round elsewhere. It finds wrong code; whether the answers are
# as near to decoding as they must be is proven behind it (`app/edge/proof.py`, `prove_as_served`).
_FUSED_NATS, _FUSED_NATS_FLOAT32 = 1.0, 0.01
# How a pass was made.
REPLAYED, EAGER = "replayed", "eager"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded.

    Attributes:
        shapes: number of shapes that will be replayed.
        possible: number of shapes that were to be.
        seconds: how long it took.
        bytes: memory of the device that it holds.
    """

    shapes: int
    possible: int
    seconds: float
    bytes: int

    def __str__(self) -> str:
        return f"{self.shapes} of {self.possible} shapes of a pass are recorded, in {self.seconds:.1f} s, with {self.bytes / 1e6:.0f} MB"


class BucketedPasses:
    """Passes of fixed shapes over one model whose attention is computed in parts.

    Args:
        passes: reads prompts that a window or chunk of a layer does not reach over; holds the shared prefix.
        masks: makes the masks of the model's layers.
        device: device that computes.
        columns: most columns of a pass.

    Attributes:
        on_pass: is told of each pass how it was made, `REPLAYED` or `EAGER`.
    """

    def __init__(self, passes: Passes, masks: Masks, device: torch.device, *, columns: int) -> None:
        self.on_pass: Callable[[str], None] = lambda _: None
        self._passes, self._masks, self._device, self._columns = passes, masks, device, columns
        self._on_gpu = device.type == "cuda"
        # A layout is itself a key; there are at most two.
        self._slots: dict[tuple[Layout, int, int], Slots] = {}
        self._layers: CompiledLayers | None = None
        self._replays: dict[tuple[Layout, int, Bucket], Replay] = {}

    def read(self, layout: Layout, prompts: Sequence[Prompt]) -> Iterator[Read]:
        """The logits of each prompt at every place of a layout. All passes are started before the first result is given."""
        skip = self._passes.prefix_tokens
        groups: dict[int, list[int]] = {}
        apart = []
        for at, prompt in enumerate(prompts):
            if is_seen(self._masks, layout, prompt):
                groups.setdefault(skip if prompt.shares_prefix else 0, []).append(at)
            else:
                apart.append(at)
        started = []
        for skipped, members in groups.items():
            buckets = Buckets(len(layout.nodes), skipped, self._columns)
            for bucket, rows in buckets.passes([len(prompts[at].ids) - skipped for at in members]):
                places = [members[row] for row in rows]
                table = filled(bucket, [prompts[at] for at in places], skipped, pinned=self._on_gpu)
                started.append((places, self._to_host(self._start(layout, skipped, bucket, table))))
        for places, (logits, arrived) in started:
            if arrived is not None:
                arrived.synchronize()
            yield places, logits[: len(places)].numpy()
        if apart:
            for places, read in self._passes.read(layout, [prompts[at] for at in apart]):
                self.on_pass(EAGER)
                yield [apart[at] for at in places], read

    def _start(self, layout: Layout, skip: int, bucket: Bucket, table: torch.Tensor) -> torch.Tensor:
        """The logits of a pass, which may be computed only later."""
        replay = self._replays.get((layout, skip, bucket))
        self.on_pass(EAGER if replay is None else REPLAYED)
        if replay is not None:
            return replay(table)
        return self._run(layout, skip, bucket.width, table.to(self._device, non_blocking=True))

    def _run(self, layout: Layout, skip: int, width: int, table: torch.Tensor, *, may_compile: bool = False) -> torch.Tensor:
        """The pass itself: the logits at every place, `[rows, places, children]`, of a tensor on the device."""
        slots = self._slots.get((layout, skip, width))
        if slots is None:
            slots = self._slots[layout, skip, width] = Slots(layout, width, skip, self._masks.dtype)
        ids, positions, mask, at = slots.inputs(table)
        with nullcontext() if self._layers is None else self._layers.used(may_compile=may_compile):
            logits = layout.model.at_each(
                at,
                prefix=self._passes.prefix if skip else None,
                input_ids=ids,
                attention_mask=self._masks.of_each_kind(mask),
                position_ids=positions,
                past_key_values=None,
                use_cache=False,
            )
        return layout.gathered(logits)

    def _to_host(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.cuda.Event | None]:
        """Logits on the host, and what tells that they have arrived. They are copied before anything else is replayed."""
        # What is read before it has arrived must not look like an answer.
        host = torch.full(logits.shape, torch.nan, dtype=logits.dtype, pin_memory=self._on_gpu)
        host.copy_(logits, non_blocking=True)
        if not self._on_gpu:
            return host, None
        arrived: torch.cuda.Event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        # The stream of this device, which need not be the present one.
        arrived.record(torch.cuda.current_stream(self._device))
        return host, arrived

    @torch.inference_mode()
    def compile(self, layout: Layout, longest: int, backend: Any) -> float | None:
        """Compile the model's layers, and use them if they give what the layers give as they are written. To be called before `record`.

        Args:
            layout: a trie that is read.
            longest: tokens of the longest prompt.
            backend: what makes code of a layer, in the words of `torch.compile`.

        Returns:
            How many seconds that took; None where the layers are not used.
        """
        began = time.monotonic()
        skip = self._passes.prefix_tokens
        longest = self._longest(layout, longest)
        if longest <= skip:
            logger.info("the layers of this model are not compiled: a window of its layers is shorter than any prompt")
            return None
        buckets = Buckets(len(layout.nodes), skip, self._columns)
        # One row or several are two cases for the compiler; any other shape only shows that the code holds for it.
        shapes = [
            Bucket(rows, buckets.width(min(length, longest - skip), rows))
            for rows, length in ((4, 90), (1, 90), (1, 300), (8, 200), (2, 40))
        ]
        try:
            tables = [self._drawn(layout, bucket, longest - skip, 3).to(self._device) for bucket in shapes]
            written = [self._run(layout, skip, bucket.width, table) for bucket, table in zip(shapes, tables, strict=True)]
            self._layers = CompiledLayers(layout.model.inner, backend)
            nats = self._most(_FUSED_NATS, _FUSED_NATS_FLOAT32)
            same = all(
                matches(self._run(layout, skip, bucket.width, table, may_compile=True), expected, nats)
                for bucket, table, expected in zip(shapes, tables, written, strict=True)
            )
        except Exception as error:  # noqa: BLE001  # whatever a compiler does with a model's code
            logger.warning("the layers of this model are not compiled (%s)", first_line(error))
            self._layers = None
            return None
        if not same:
            logger.warning("the compiled layers of this model differ from the layers as they are written; they are not used")
            self._layers = None
            return None
        return time.monotonic() - began

    @torch.inference_mode()
    def record(
        self, layout: Layout, recorder: Recorder, longest: int, *, seconds: float, bytes_: float, shapes: Sequence[Bucket] | None = None
    ) -> Recorded:
        """Record passes of some shapes, each of which is then replayed instead of being made, if the replay gives the same.

        Args:
            layout: the trie that is read.
            recorder: makes the recordings.
            longest: tokens of the longest prompt whose passes are recorded.
            seconds: no further one is begun after so many seconds.
            bytes_: nor where they hold so much memory.
            shapes: what is recorded; None for every shape of passes of such prompts.
        """
        began = time.monotonic()
        skip = self._passes.prefix_tokens
        longest = self._longest(layout, longest)
        if shapes is None:
            shapes = Buckets(len(layout.nodes), skip, self._columns).all(longest - skip) if longest > skip else []
        done = 0
        # A collector that frees tensors of a device meanwhile may spoil a recording.
        with collector_paused():
            # The largest one makes the memory that all share. The small ones gain most, so they come next.
            for bucket in [*shapes[:1], *reversed(shapes[1:])]:
                if time.monotonic() - began > seconds or recorder.bytes > bytes_:
                    logger.info(
                        "no further pass is recorded: %.0f s or %.1f GB are used up; others are made without", seconds, bytes_ / 1e9
                    )
                    break
                try:
                    replay = recorder.record(partial(self._run, layout, skip, bucket.width), self._drawn(layout, bucket, longest - skip, 0))
                    same = self._same(replay, layout, skip, bucket, self._drawn(layout, bucket, longest - skip, 1))
                except Exception as error:  # noqa: BLE001  # whatever a model's own code does that cannot be recorded
                    if is_out_of_memory(error):
                        logger.info("a pass of %d x %d tokens is not recorded: there is too little memory", bucket.rows, bucket.width)
                        continue
                    logger.warning("passes of this model are not recorded (%s); each is made anew, which is slower", first_line(error))
                    self._replays.clear()
                    done = 0
                    break
                if not same:
                    logger.warning(
                        "a recorded pass of %d x %d tokens differs from the pass itself; it is not used", bucket.rows, bucket.width
                    )
                    continue
                self._replays[layout, skip, bucket] = replay
                done += 1
            # What is left behind now would stay: the collector looks no more at what lives when its pause ends.
            gc.collect()
        recorder.trim()
        return Recorded(done, len(shapes), time.monotonic() - began, recorder.bytes)

    def forget(self) -> None:
        """Use no recording any more."""
        self._replays.clear()

    def as_written(self) -> None:
        """Use no recording and no compiled layer any more."""
        self.forget()
        self._layers = None

    def _longest(self, layout: Layout, longest: int) -> int:
        """Tokens of the longest prompt up to so many that no window or chunk of a layer is shorter than."""
        deepest = max(layout.trie.depths)
        return next((length for length in range(longest, 0, -1) if self._masks.see_everything(length - 1 + deepest)), 0)

    def _same(self, replay: Replay, layout: Layout, skip: int, bucket: Bucket, table: torch.Tensor) -> bool:
        found = replay(table).clone()
        return matches(found, self._run(layout, skip, bucket.width, table.to(self._device)), self._most(REPLAY_NATS, REPLAY_NATS_FLOAT32))

    def _most(self, rounded: float, float32: float) -> float:
        """Which of two bounds holds in the dtype that the model computes in."""
        return float32 if self._masks.dtype is torch.float32 else rounded

    def _drawn(self, layout: Layout, bucket: Bucket, longest: int, seed: int) -> torch.Tensor:
        """Rows of random lengths, the first as long as can be, and of tokens that the vocabulary has."""
        draw = random.Random(f"{bucket} {seed}")  # noqa: S311  # no secret
        tokens = layout.model.tokens
        most = min(bucket.width, longest)
        lengths = [most, *(draw.randint(1, most) for _ in range(bucket.rows - 1))]
        prompts = [Prompt(tuple(draw.choices(tokens, k=length)), 2, shares_prefix=True) for length in lengths]
        return filled(bucket, prompts, 0, pinned=False)
