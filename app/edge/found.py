"""A model setting → where its files are and what it will be called; no weights are read.

Every way this can fail ends in one sentence for a person (`ConfigError`).
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from app.core.edge import Identity
from app.core.errors import ConfigError
from app.core.prompt import PromptFamily
from app.core.verdict import JointVerdict
from app.edge.adapters import Adapter, check_origin, find_adapter
from app.edge.architecture import Architecture, find_architecture
from app.edge.builtin import ensure_builtin, find_builtin
from app.edge.devices import one_sentence
from app.edge.fingerprint import WEIGHTS, fingerprint
from app.edge.prepared import facts_of
from app.edge.rendering import Renderer
from app.edge.weights import read_config, read_tokenizer


@dataclass(frozen=True, slots=True)
class FoundModel:
    """Where the files of a model are and what it will be called; its weights have not been read.

    Attributes:
        spec: value of the setting.
        source: folder or Hugging Face id.
        architecture: how it is loaded.
        commit: commit that a hub id stood for; None for a folder.
        adapter: what will be merged, if anything will.
        family: wording of the prompt.
        name: name of the model in answers.
        fingerprint: fingerprint of model and adapter, 12 hex digits.
    """

    spec: str
    source: str
    architecture: Architecture
    commit: str | None
    adapter: Adapter | None
    family: PromptFamily
    name: str
    fingerprint: str

    def facts(self, dtype: torch.dtype) -> dict[str, str] | None:
        """What its weights in a dtype depend on; see `app.edge.prepared.facts_of`."""
        return facts_of(self.fingerprint, self.source, self.architecture, dtype, commit=self.commit, adapter=self.adapter)

    def prompt_fingerprint(self) -> str:
        """Fingerprint of its prompts, from its tokenizer alone. Raises ConfigError where they cannot be rendered."""
        with one_sentence(f"edge.model '{self.spec}' could not be loaded", torch.device("cpu")):
            return Renderer(read_tokenizer(self.source, self.commit), self.family).prompt_fingerprint

    def identity(self) -> Identity:
        """What will answer when this model is loaded. Raises ConfigError where its prompts cannot be rendered."""
        return Identity(self.name, self.fingerprint, self.prompt_fingerprint(), JointVerdict.signals)


def find_model(spec: str, *, cache_dir: Path, adapter: str | None = None, family: PromptFamily | None = None) -> FoundModel:
    """What can be known about a model without reading its weights; the arguments are those of `load_model`.

    Raises:
        ConfigError: there is no such model or adapter, files are missing, its architecture cannot be read in one pass, or the adapter
            belongs to another base.
    """
    builtin = find_builtin(spec)
    if builtin is None:
        source = identity = spec
        name = Path(spec).name if Path(spec).is_dir() else spec
    else:
        source = str(ensure_builtin(cache_dir, builtin.weights))
        identity, name = builtin.weights.identity, builtin.weights.name
        if adapter is None and builtin.adapter is not None:
            adapter = str(builtin.adapter)
    config, commit = read_config(spec, source)
    architecture = find_architecture(spec, config)
    if Path(source).is_dir() and not _holds_weights(Path(source)):
        raise ConfigError(f"edge.model '{spec}' could not be loaded (the folder holds no weights: no .safetensors and no .bin file)")
    found = find_adapter(adapter) if adapter else None
    if found is not None:
        check_origin(found.folder, fingerprint(identity, None, commit=commit))
        if not _holds_weights(found.folder):
            raise ConfigError(f"the adapter '{adapter}' cannot be used: it could not be merged (the folder holds no weights)")
        name = f"{name}+{Path(found.name).name}"
    usual = architecture.family if builtin is None else builtin.weights.family
    return FoundModel(spec, source, architecture, commit, found, family or usual, name, fingerprint(identity, found, commit=commit))


def _holds_weights(folder: Path) -> bool:
    return any(path.suffix in WEIGHTS for path in folder.iterdir())
