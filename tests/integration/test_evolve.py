"""Whole chains of tiny models: what they leave behind, and that killing them ten times changes nothing."""

import asyncio
import json
import os
import shutil
import sys

import pytest

from app.core.errors import ConfigError
from app.data.calibration import read_calibration
from app.data.dataset import load_items
from app.demo.bank import Bank, load_rows
from app.demo.server import create_demo
from app.edge.foggen import writes_confidence
from app.edge.loader import load_model
from app.training.chain import open_chain
from app.training.config import GateConfig, load_config
from app.training.evolve import run_rounds
from app.training.promotion import decide_again
from app.training.publish.results import write_results
from app.training.state import read_state
from tests.support.chains import DOMAINS, chain_config
from tests.support.loopback import loopback_client
from tests.support.processes import ROOT
from tests.support.servers import serving

OPEN = {"gate": {"min_entropy": 0.0, "max_accuracy_loss": 1.0, "max_mean_loss": 1.0, "max_ece_increase": 1.0}}

BINDING = {"rows": 12, "lora": {"r": 2}, "sft": {"batch_size": 4, "micro_batch_size": 4, "shuffle_options": False}}


def opened(path, out, *, resume=False):
    return open_chain(load_config(path), out, resume=resume, cache_dir=out, teacher=None)


UNSHUFFLED = {"learning_rate": 1e-3, "epochs": 1, "batch_size": 4, "micro_batch_size": 2, "shuffle_options": False}


def opened_to_judge(path, out, **gate):
    """As `foggate evolve --judge` opens a run: everything as it was begun, but for the gate."""
    began = read_state(out).config
    config = began.model_copy(update={"gate": GateConfig(**{**load_config(path).gate.model_dump(), **gate})})
    return open_chain(config, out, resume=True, cache_dir=out, teacher=None, trains=False)


@pytest.mark.parametrize("kind", ["qwen3", "gemma3"])
def test_two_rounds_leave_everything_that_is_promised(tmp_path, kind):
    out = tmp_path / "run"
    # A calibration takes 40 dev rows.
    data = {"train": {domain: [f"{domain}.jsonl"] for domain in DOMAINS}, "test": ["test.jsonl"], "dev_rows": 20}
    chain = opened(chain_config(tmp_path / "in", kind=kind, rows=45, data=data, **OPEN), out)
    run_rounds(chain)
    trained_to = chain.checkpoint.fingerprint
    said = write_results(chain)
    state = json.loads((out / "chain.json").read_text())
    assert [(e["round"], e["domain"], e["new_rows"], e["replay_rows"]) for e in state["rounds"]] == [
        (0, None, 12, 0),
        (1, "law", 8, 6),
        (2, "math", 8, 6),
    ]
    assert [e["trained_on"] for e in state["rounds"][1:]] == [e["checkpoint"] for e in state["rounds"][:-1]]
    assert state["rounds"][0]["trained_on"] == state["base_fingerprint"]
    assert all(sum(e["buckets"].values()) == e["new_rows"] for e in state["rounds"])
    for number in range(3):
        names = {path.name for path in (out / f"R{number:02d}").iterdir()}
        assert names == {"labels.jsonl", "labels.jsonl.origin.json", "train.json", "adapter", "dev.jsonl", "metrics.json"}
    metrics = json.loads((out / "R02/metrics.json").read_text())
    assert set(metrics["domains"]) == set(DOMAINS)
    assert {"edge_only", "cloud_rate", "lift", "auroc_expected", "ece_verbalized", "buckets"} <= set(metrics["domains"]["law"])
    report = (out / "report.md").read_text()
    assert all(f"| {name} |" in report for name in ("base", "R00", "R01", "R02"))
    assert "- R02: promoted" in report
    assert (out / "chain.png").read_bytes().startswith(b"\x89PNG")
    # The folder to serve is the last checkpoint, and the calibration is for it.
    served = load_model(str(out / "model"), cache_dir=tmp_path, dtype="float32", device="cpu")
    assert writes_confidence(str(out / "model"), None), "a gateway that serves it routes on the verbalized confidence"
    for name, value in chain.checkpoint.loaded.model.state_dict().items():
        assert bool((served.model.state_dict()[name] == value).all()), name
    assert chain.checkpoint.fingerprint == trained_to
    calibration = read_calibration(out / "calibration.json")
    calibration.check(edge_model=served.name, fingerprint=served.fingerprint, prompt_version="foggate-1")
    assert any("is the checkpoint of R02" in sentence for sentence in said)


def test_a_run_is_refused_where_it_would_not_be_the_same_run(tmp_path):
    path, out = chain_config(tmp_path / "in"), tmp_path / "run"
    run_rounds(opened(path, out), until=0)
    with pytest.raises(ConfigError, match="holds a run already: give --resume"):
        opened(path, out)
    with pytest.raises(ConfigError, match="was begun with another config"):
        opened(chain_config(tmp_path / "in", seed=9), out, resume=True)
    weights = tmp_path / "in/base/model.safetensors"
    chain_config(tmp_path / "in")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ConfigError, match="was begun with another base fingerprint"):
        opened(path, out, resume=True)
    with pytest.raises(ConfigError, match=r"labels\.source is teacher, but no cloud"):
        opened(chain_config(tmp_path / "other", labels={"source": "teacher"}), tmp_path / "x")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/chain.json").write_text("{")
    with pytest.raises(ConfigError, match=r"chain\.json cannot be read"):
        opened(path, tmp_path / "broken", resume=True)


def test_the_gate_can_send_the_chain_back_to_the_last_promoted_checkpoint(tmp_path):
    strict = {"gate": {"min_entropy": 9.0, "on_failure": "revert"}}
    chain = opened(chain_config(tmp_path / "in", **strict), tmp_path / "run")
    base = chain.checkpoint.fingerprint
    run_rounds(chain, until=1)
    assert [(e.promoted, e.kept, e.trained_on) for e in chain.state.rounds] == [(False, False, base)] * 2
    assert chain.checkpoint.fingerprint == base
    assert "collapsed" in chain.state.rounds[0].reasons[-1]
    assert write_results(chain) == ["no round passed the gate: there is no model to serve"]
    assert not (tmp_path / "run/model").exists()


def rewind_to_2(out):
    """Make a run look as version 2 wrote it: symbol binding was called a warm-up, also in the name of its folder."""
    state = json.loads((out / "chain.json").read_text())
    state = {("warmup" if key == "binding" else key): value for key, value in state.items()} | {"version": 2}
    state["config"] = {("warmup" if key == "binding" else key): value for key, value in state["config"].items()}
    if entry := state["warmup"]:
        entry["held_out"] = {key.replace("correct_", "right_"): value for key, value in entry["held_out"].items()}
    (out / "chain.json").write_text(json.dumps(state))
    if (out / "binding").exists():
        (out / "binding").rename(out / "warmup")
    for path in [*out.rglob("labels.jsonl"), *out.rglob("labels.jsonl.partial")]:
        path.write_text(path.read_text().replace('"p_correct"', '"p_right"'))
    return state


def rewind_to_1(out):
    """Make a finished run look as version 1 wrote it: no dev records, no dtype, fewer settings."""
    state = rewind_to_2(out)
    state["version"] = 1
    del state["dtype"]
    config = state["config"]
    for sft in (config["sft"], (config["warmup"] or {"sft": {"shuffle_options": None}})["sft"]):
        del sft["shuffle_options"]
    for key in ("level", "max_mean_loss"):
        del config["gate"][key]
    for entry in state["rounds"]:
        del entry["gate"]
    (out / "chain.json").write_text(json.dumps(state))
    for path in out.rglob("dev.jsonl"):
        metrics = json.loads((path.parent / "metrics.json").read_text())
        del metrics["checkpoint"]
        (path.parent / "metrics.json").write_text(json.dumps(metrics))
        path.unlink()


def test_a_finished_run_is_judged_again_by_another_gate_without_training(tmp_path):
    path, out = chain_config(tmp_path / "in", binding=BINDING, sft=UNSHUFFLED, **OPEN), tmp_path / "run"
    run_rounds(opened(path, out), until=1)
    ran = json.loads((out / "chain.json").read_text())
    assert [e["promoted"] for e in ran["rounds"]] == [True, True]
    assert [e["gate"]["against"] for e in ran["rounds"]] == ["base", "R00"]
    assert [check["name"] for check in ran["rounds"][1]["gate"]["checks"]] == ["law", "math", "mean", "calibration"]
    written = {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.name in {"dev.jsonl", "train.json", "labels.jsonl"}}

    strict = opened_to_judge(path, out, min_entropy=9.0)
    decide_again(strict)
    assert write_results(strict) == ["no round passed the gate: there is no model to serve"]
    judged = json.loads((out / "chain.json").read_text())
    assert [(e["promoted"], e["kept"], e["gate"]["against"]) for e in judged["rounds"]] == [(False, True, "base")] * 2
    assert judged["config"]["gate"]["min_entropy"] == 9.0
    assert "- R01: not promoted: the confidence vocabulary collapsed" in (out / "report.md").read_text()
    assert not (out / "calibration.json").exists()
    assert {file: file.stat().st_mtime_ns for file in written} == written

    decide_again(opened_to_judge(path, out, **OPEN["gate"]))
    again = json.loads((out / "chain.json").read_text())
    assert [{**e, "seconds": 0} for e in again["rounds"]] == [{**e, "seconds": 0} for e in ran["rounds"]]


def test_a_run_of_version_1_is_measured_again_to_be_judged_and_then_goes_on(tmp_path):
    # That version had no other settings of the gate.
    gate = {key: value for key, value in OPEN["gate"].items() if key != "max_mean_loss"}
    path, out = chain_config(tmp_path / "in", binding=BINDING, sft=UNSHUFFLED, gate=gate), tmp_path / "run"
    run_rounds(opened(path, out), until=1)
    ran, records = json.loads((out / "chain.json").read_text()), {p: p.read_bytes() for p in out.rglob("dev.jsonl")}
    assert len(records) == 4, "base, symbol binding, R0 and R1"
    rewind_to_1(out)
    with pytest.raises(ConfigError, match=r"R01/dev\.jsonl is missing: the run was begun before .* foggate evolve --judge"):
        run_rounds(opened(path, out, resume=True))
    assert not (out / "R02").exists(), "nothing is trained first"
    with pytest.raises(ConfigError, match=r"was begun with another config \(sft\.shuffle options false, not true\)"):
        opened(chain_config(tmp_path / "in", binding=BINDING, gate=gate), out, resume=True)
    chain_config(tmp_path / "in", binding=BINDING, sft=UNSHUFFLED, gate=gate)
    decide_again(opened_to_judge(path, out))
    assert {p: p.read_bytes() for p in out.rglob("dev.jsonl")} == records
    judged = json.loads((out / "chain.json").read_text())
    assert [e["gate"] for e in judged["rounds"]] == [e["gate"] for e in ran["rounds"]]
    run_rounds(opened(path, out, resume=True))
    assert len(json.loads((out / "chain.json").read_text())["rounds"]) == 3


def test_a_run_that_was_sent_back_is_not_judged_otherwise(tmp_path):
    path, out = chain_config(tmp_path / "in", gate={"min_entropy": 9.0, "on_failure": "revert"}), tmp_path / "run"
    run_rounds(opened(path, out), until=0)
    before = (out / "chain.json").read_bytes()
    with pytest.raises(ConfigError, match="R00 was sent back and would now be promoted"):
        decide_again(opened_to_judge(path, out, on_failure="revert", **OPEN["gate"]))
    assert json.loads((out / "chain.json").read_text())["rounds"] == json.loads(before)["rounds"]


def test_metrics_of_another_checkpoint_are_measured_again(tmp_path):
    path, out = chain_config(tmp_path / "in", **OPEN), tmp_path / "run"
    run_rounds(opened(path, out), until=0)
    true = {name: (out / "base" / name).read_bytes() for name in ("metrics.json", "dev.jsonl")}
    for name in true:
        (out / "base" / name).write_bytes((out / "R00" / name).read_bytes())
    state = json.loads((out / "chain.json").read_text())
    (out / "chain.json").write_text(json.dumps({**state, "rounds": []}))
    run_rounds(opened(path, out, resume=True), until=0)
    assert {name: (out / "base" / name).read_bytes() for name in true} == true


def test_a_run_computed_in_another_dtype_is_not_gone_on_with(tmp_path):
    path, out = chain_config(tmp_path / "in", **OPEN), tmp_path / "run"
    opened(path, out)
    state = json.loads((out / "chain.json").read_text())
    (out / "chain.json").write_text(json.dumps({**state, "dtype": "bfloat16"}))
    with pytest.raises(ConfigError, match=r"was begun with another dtype \(bfloat16, not float32\)"):
        opened(path, out, resume=True)
    (out / "chain.json").write_text(json.dumps({**state, "version": 5}))
    with pytest.raises(ConfigError, match="was written by a later version"):
        opened(path, out, resume=True)


def test_a_run_of_version_2_goes_on_and_ends_with_the_same_bytes(tmp_path):
    """Also where it was killed while it labelled."""
    path, out, old = chain_config(tmp_path / "in", binding=BINDING, **OPEN), tmp_path / "run", tmp_path / "old"
    run_rounds(opened(path, out), until=1)
    shutil.copytree(out, old)
    run_rounds(opened(path, out, resume=True))
    labels = (out / "R02/labels.jsonl").read_text().splitlines(keepends=True)
    (old / "R02").mkdir()
    (old / "R02/labels.jsonl.partial").write_text("".join(labels[:4]))
    shutil.copy(out / "R02/labels.jsonl.origin.json", old / "R02")
    rewind_to_2(old)
    assert '"p_right"' in (old / "R02/labels.jsonl.partial").read_text()
    chain = opened(path, old, resume=True)
    assert (chain.state, (old / "binding/adapter").is_dir()) == (read_state(old), True)
    run_rounds(chain)
    for folder in ("R00", "R01"):
        file = old / folder / "labels.jsonl"
        file.write_text(file.read_text().replace('"p_right"', '"p_correct"'))
    assert artefacts(old) == artefacts(out)


def test_symbol_binding_comes_before_r0_once(tmp_path):
    path, out = chain_config(tmp_path / "in", binding=BINDING, **OPEN), tmp_path / "run"
    chain = opened(path, out)
    run_rounds(chain, until=0)
    entry = json.loads((out / "chain.json").read_text())["binding"]
    assert entry["checkpoint"] not in {chain.state.base_fingerprint, chain.checkpoint.fingerprint}
    assert chain.state.rounds[0].trained_on == entry["checkpoint"]
    assert (entry["new_rows"], entry["steps"], entry["held_out"]["rows"]) == (12, 3, 80)
    assert {path.name for path in (out / "binding").iterdir()} == {"train.json", "adapter", "dev.jsonl", "metrics.json"}
    assert json.loads((out / "binding/adapter/adapter_config.json").read_text())["r"] == 2
    # A resumed run stands on the same weights, and does not learn binding again.
    written = (out / "binding/train.json").stat().st_mtime_ns
    again = opened(path, out, resume=True)
    assert again.checkpoint.fingerprint == chain.checkpoint.fingerprint
    run_rounds(again, until=1)
    assert (out / "binding/train.json").stat().st_mtime_ns == written
    write_results(again)
    report = (out / "report.md").read_text()
    assert "Before R0, symbol binding was trained on 12 generated questions" in report
    assert "| symbol binding | generated | 12 + 0 |" in report


def test_a_round_without_rows_is_said(tmp_path):
    with pytest.raises(ConfigError, match="round 0 has neither new rows nor rows to replay"):
        run_rounds(opened(chain_config(tmp_path / "in", buffer_rows=0), tmp_path / "run"))


async def run_killed(path, out, url, kills, seed):
    """The chain in a process that dies `kills` times, at moments drawn by seed, and goes on each time."""
    environment = {**os.environ, "FOGGATE_CLOUD__BASE_URL": url + "/v1", "TOKENIZERS_PARALLELISM": "false"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.killer", str(path), str(out), str(kills), str(seed)),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(printed.decode().splitlines()[-1])


def artefacts(out):
    """Every file but for timings; a proof of a model says how long it took."""
    found = [path for path in sorted(out.rglob("*")) if path.is_file() and path.parent.name != "proofs"]
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in found}
    state = json.loads(files["chain.json"])
    for entry in [state["binding"], *state["rounds"]]:
        if entry is not None:
            del entry["seconds"]
    files["chain.json"] = state
    return files


async def test_killed_at_ten_moments_and_resumed_the_chain_is_the_same(tmp_path):
    path = chain_config(
        tmp_path / "in",
        labels={"source": "teacher"},
        binding=BINDING,
        sft={"batch_size": 4, "micro_batch_size": 4, "learning_rate": 1e-3},
    )
    data = [tmp_path / f"in/{domain}.jsonl" for domain in DOMAINS]
    used = 12 + 8 + 8 + 16
    async with serving(create_demo(Bank(load_rows(data), accuracy=0.9), latency_ms=3)) as url, loopback_client() as http:

        async def calls():
            return (await http.get(url + "/stats")).json()["calls"]

        whole = await run_killed(path, tmp_path / "whole", url, kills=0, seed=0)
        assert (whole["kills"], await calls()) == (0, used)
        killed = await run_killed(path, tmp_path / "killed", url, kills=10, seed=1)
        assert killed["kills"] == 10
        # What was under way at a kill may have been asked in vain: the concurrency at most, each time.
        assert await calls() <= 2 * used + 10 * 16
    answers = load_lines(tmp_path / "killed/teacher.jsonl")
    assert len(answers) == used
    assert artefacts(tmp_path / "killed") == artefacts(tmp_path / "whole")
    assert len(load_items([*data])) > used


def load_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]
