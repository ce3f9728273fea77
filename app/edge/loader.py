"""A model setting → a loaded model: a builtin one, a Hugging Face id or a local folder, with an adapter merged if asked.

Every way this can fail ends in one sentence for a person at start-up (`ConfigError`).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
import transformers

from app.core.errors import ConfigError, first_line
from app.core.prompt import PromptFamily
from app.core.question import MAX_OPTIONS
from app.edge import stamps
from app.edge.adapters import merge_adapters
from app.edge.devices import compute_dtype, is_out_of_memory, one_sentence, resolve_device
from app.edge.engine import PASS_COLUMNS, VerdictEngine
from app.edge.found import FoundModel, find_model
from app.edge.memory import give_back
from app.edge.prepared import FOLDER as PREPARED
from app.edge.prepared import PreparedWeights
from app.edge.proof import Proof, prove, prove_long
from app.edge.rendering import Renderer
from app.edge.weights import assemble, cast_as_loaded, check_fit, read_tokenizer, read_weights, state_of

logger = logging.getLogger(__name__)


class MakeEngine(Protocol):
    """Makes an engine of a model: with attention in parts or with whole masks; in parts with or without passes of fixed shapes; and with so
    many passes side by side.
    """

    def __call__(self, *, split: bool, buckets: bool | None = None, side_by_side: int = ...) -> VerdictEngine: ...


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in evaluation mode.

    Attributes:
        model: a transformers causal language model.
        tokenizer: its tokenizer.
        family: wording of the prompt.
        name: name of the model in answers.
        fingerprint: fingerprint of its weights, 12 hex digits; empty where it has none.
        proofs: folder in which proofs are noted; None where each engine is proven anew.
    """

    model: Any
    tokenizer: Any
    family: PromptFamily
    name: str
    fingerprint: str
    proofs: Path | None = None

    def engine(
        self,
        *,
        max_prompt_tokens: int = 2048,
        share_prefix: bool = True,
        long_labels: bool = False,
        keep_prompts: int = 0,
        pass_columns: int = PASS_COLUMNS,
        side_by_side: int = 1,
    ) -> VerdictEngine:
        """The one-pass engine of these weights, on the device and in the dtype that they are in, proven exact.

        Args:
            max_prompt_tokens: longest prompt.
            share_prefix: see `VerdictEngine`.
            long_labels: whether it is to read questions with more options than letters too. Where that cannot be proven, it is logged,
                and the engine refuses such questions.
            keep_prompts: see `VerdictEngine`.
            pass_columns: see `VerdictEngine`.
            side_by_side: see `VerdictEngine`.

        Raises:
            ConfigError: its prompts cannot be rendered, or one pass over this model does not give what decoding gives.
        """
        renderer = Renderer(self.tokenizer, self.family)

        def make(*, split: bool, buckets: bool | None = None, side_by_side: int = side_by_side) -> VerdictEngine:
            return VerdictEngine(
                self.model,
                renderer,
                name=self.name,
                fingerprint=self.fingerprint,
                max_prompt_tokens=max_prompt_tokens,
                share_prefix=share_prefix,
                keep_prompts=keep_prompts,
                split=split,
                buckets=buckets,
                pass_columns=pass_columns,
                side_by_side=side_by_side,
            )

        # It computes the shared prefix: a first forward pass, for which memory may be lacking.
        with one_sentence(f"the model '{self.name}' cannot answer", self.model.device):
            engine = self._exact(make)
            if long_labels:
                try:
                    engine.read_long_labels()
                    facts = stamps.facts_of(self.model, engine) | {"labels": "long"}
                    again = partial(make, split=engine.splits_attention, buckets=engine.uses_buckets, side_by_side=1)
                    self._prove("one pass with long labels", facts, lambda: prove_long(self.model, again, engine))
                except ConfigError as error:
                    engine.forget_long_labels()
                    logger.warning("'%s' takes no question with more than %d options: %s", self.name, MAX_OPTIONS, error.message)
        return engine

    def _exact(self, make: MakeEngine) -> VerdictEngine:
        """The engine, proven: with attention in parts, or with whole masks where that is not exact. Raises ConfigError."""
        engine, lasting = make(split=True), True
        whole = stamps.facts_of(self.model, engine) | {"split": "False", "buckets": "False", "side_by_side": "False"}
        while engine.splits_attention and not self._is_proven(whole):
            # What makes a proof compute in float32 holds in the thread that makes it.
            again = partial(make, split=True, buckets=engine.uses_buckets, side_by_side=1)
            try:
                self._prove("one pass", stamps.facts_of(self.model, engine), partial(prove, self.model, again, engine))
            except Exception as error:  # noqa: BLE001  # whatever a model's own code does with masks that it does not expect
                # The next start may have the memory that lacks now: it must try again.
                lasting = lasting and not is_out_of_memory(error)
                if not engine.uses_buckets:
                    logger.info("the attention of '%s' is computed with whole masks (in parts: %s)", self.name, first_line(error))
                    break
                logger.warning("passes over '%s' have no fixed shapes (with them: %s)", self.name, first_line(error))
                engine = make(split=True, buckets=False)
            else:
                return engine
        if engine.splits_attention:
            if self._is_proven(whole):
                logger.info("the attention of '%s' is computed with whole masks, by an earlier proof in %s", self.name, self.proofs)
            engine = make(split=False)
        self._prove("one pass", whole, lambda: prove(self.model, partial(make, split=False), engine), lasting=lasting)
        return engine

    def _is_proven(self, facts: dict[str, str]) -> bool:
        return self.proofs is not None and bool(self.fingerprint) and stamps.is_stamped(self.proofs, facts)

    def _prove(self, what: str, facts: dict[str, str], proof: Callable[[], Proof], *, lasting: bool = True) -> None:
        """Make a proof, unless it was made before; a lasting one is noted for later starts. Raises ConfigError."""
        if self._is_proven(facts):
            return
        later = "it is noted, and not repeated at later starts" if lasting else "it is made again at the next start"
        logger.info("the proof of %s for '%s' is being made; %s", what, self.name, later)
        found = proof()
        logger.info("%s over '%s' gives what decoding gives: %s", what, self.name, found)
        if lasting and self.proofs is not None and self.fingerprint:
            stamps.write_stamp(self.proofs, facts, str(found))


def load_model(
    spec: str,
    *,
    cache_dir: Path,
    adapter: str | None = None,
    beneath: Sequence[Path] = (),
    family: PromptFamily | None = None,
    device: str = "auto",
    dtype: str = "auto",
    prepared_bytes: int = 0,
) -> LoadedModel:
    """Load a causal language model for verdicts. At most one copy of its weights is in memory, and one weight more.

    Args:
        spec: a builtin model (with its shipped adapter, if it has one, unless another is named), a Hugging Face model id, or a folder.
        cache_dir: where converted builtin models live.
        adapter: a LoRA adapter (id or folder), merged weight by weight in float32 and rounded once.
        beneath: adapters of a chain, merged one after the other before `adapter`; name and fingerprint do not depend on them.
        family: wording of the prompt; by default that of a builtin model, and for other models that of the architecture.
        device: `auto` (CUDA if there is one), `cpu`, `cuda`, `cuda:1`.
        dtype: `auto` (bf16 where the device multiplies it natively, else float32), `bfloat16`, `float32`.
        prepared_bytes: bytes on the disk that prepared weights may take (`app/edge/prepared.py`); 0 merges and converts anew.

    Raises:
        ConfigError: anything that keeps this model from answering.
    """
    # Progress bars of a half-second load are noise in a server's log.
    transformers.logging.disable_progress_bar()
    where = resolve_device(device)
    to = compute_dtype(dtype, where)
    found = find_model(spec, cache_dir=cache_dir, adapter=adapter, family=family)
    prepared = PreparedWeights(cache_dir / PREPARED, 0 if beneath else prepared_bytes)
    with one_sentence(f"edge.model '{spec}' could not be loaded", torch.device("cpu")):
        tokenizer, model = _prepared(found, prepared, to) or _made(found, prepared, to, beneath)
    with one_sentence(f"edge.model '{spec}' could not be moved to its device", where):
        model = model.to(where)
    return LoadedModel(model.eval(), tokenizer, found.family, found.name, found.fingerprint, cache_dir / stamps.FOLDER)


def _prepared(found: FoundModel, prepared: PreparedWeights, to: torch.dtype) -> tuple[Any, Any] | None:
    """(tokenizer, model) as an earlier start has prepared it; None where none has. Raises ConfigError."""
    facts = found.facts(to)
    state = None if facts is None else prepared.read(facts)
    if facts is None or state is None:
        return None
    try:
        model = assemble(found.architecture, state, to)
    except ValueError as error:
        logger.warning("the prepared weights of '%s' do not fit it (%s): they are made again", found.name, error)
        prepared.discard(facts)
        return None
    tokenizer = read_tokenizer(found.source, found.commit)
    check_fit(found.spec, tokenizer, model)
    return tokenizer, model


def _made(found: FoundModel, prepared: PreparedWeights, to: torch.dtype, beneath: Sequence[Path]) -> tuple[Any, Any]:
    """(tokenizer, model) from the files of model and adapters; what took work is kept, and served as it is kept. Raises ConfigError."""
    facts = found.facts(to)
    tokenizer, model = read_weights(found.spec, found.source, found.architecture, to=to, revision=found.commit)
    stored = model.dtype
    folders = [*beneath, *([found.adapter.folder] if found.adapter is not None else [])]
    if folders and getattr(found.architecture.config, "quantization_config", None):
        raise ConfigError(f"edge.model '{found.spec}' is quantised: no adapter can be merged into it")
    if folders:
        merge_adapters(model, folders, to)
    if stored is not to:
        cast_as_loaded(model, to)
    # Files that changed while they were read: nobody knows what was.
    if (folders or stored is not to) and facts is not None and facts == found.facts(to) and prepared.write(facts, state_of(model)):
        # Freed before the file is mapped.
        del model
        give_back()
        kept = _prepared(found, prepared, to)
        return kept or _made(found, PreparedWeights(prepared.folder, 0), to, beneath)
    return tokenizer, model
