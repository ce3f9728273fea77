"""`foggate label | evolve | bench label` as processes: the commands of docs/training.md on a tiny base."""

import asyncio
import json
import resource
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.support.chains import chain_config, questions, write
from tests.support.commands import foggate_here
from tests.support.loopback import loopback_client
from tests.support.processes import ROOT, foggate


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A chain stopped after R1."""
    folder = tmp_path_factory.mktemp("evolve")
    gate = {"min_entropy": 0.0, "max_accuracy_loss": 1.0, "max_mean_loss": 1.0, "max_ece_increase": 1.0}
    config = chain_config(folder / "in", rows=40, gate=gate, data={"train": {d: [f"{d}.jsonl"] for d in ("law", "math")}, "dev_rows": 10})
    done = foggate("evolve", "--config", str(config), "--out", str(folder / "run"), "--rounds", "1", fresh=True)
    assert done.returncode == 0, done.stderr
    assert "R01 law: 8 new + 6 replayed, promoted" in done.stdout
    return folder


async def test_a_chain_goes_on_and_what_it_made_is_served(run, start):
    done = await asyncio.to_thread(
        foggate, "evolve", "--config", str(run / "in/evolve.yaml"), "--out", str(run / "run"), "--resume", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert [entry["round"] for entry in json.loads(done.stdout)["rounds"]] == [0, 1, 2]
    environment = {"FOGGATE_EDGE__MODEL": str(run / "run/model"), "FOGGATE_EDGE__DTYPE": "float32"}
    if (run / "run/calibration.json").exists():
        environment["FOGGATE_POLICY__CALIBRATION"] = str(run / "run/calibration.json")
    url = await start("gateway", "serve", "--port", "0", **environment).url()
    async with loopback_client() as http:
        answer = (await http.post(url + "/v1/answer", json={"question": "Is it?", "options": ["Yes", "No"]}, timeout=60)).json()
    assert answer["edge"]["model"] == "model"
    assert answer["answer"] in {"A", "B"}


def test_a_run_becomes_an_adapter_to_ship(run, tmp_path):
    out = tmp_path / "mine"
    done = foggate(
        "adapter", "--run", str(run / "run"), "--out", str(out), "--round", "1", "--agreement", "0.8", "--license", "mit", fresh=True
    )
    assert done.returncode == 0, done.stderr
    assert "is R01 at rank" in done.stdout
    assert {"adapter_model.safetensors", "adapter_config.json", "foggate.json", "README.md"} <= {path.name for path in out.iterdir()}
    for arguments, says in (
        (["--run", str(run / "run"), "--out", str(out)], "exists already"),
        (["--run", str(tmp_path), "--out", str(tmp_path / "x")], "holds no run of foggate evolve"),
    ):
        done = foggate_here("adapter", *arguments)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_labels_of_a_file(run, tmp_path):
    data, out = write(tmp_path / "q.jsonl", questions(12, "law", 5, "mine")), tmp_path / "labels.jsonl"
    arguments = ["label", "--data", str(data), "--out", str(out), "--model", str(run / "in/base"), "--json"]
    done = foggate(*arguments, fresh=True, FOGGATE_EDGE__DTYPE="float32")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert (said["labelled"], len(rows), sum(said["buckets"].values())) == (12, 12, 12)
    assert [row["id"] for row in rows] == [f"mine-law-{n}" for n in range(12)]
    again = foggate_here(*arguments)
    assert (again.returncode, "exists already" in again.stderr) == (2, True)
    # As a kill would have left it: another run does not go on with it, the same one does.
    whole = out.read_bytes()
    out.unlink()
    (tmp_path / "labels.jsonl.partial").write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
    other = foggate_here(*arguments, "--temperature", "1.0", FOGGATE_EDGE__DTYPE="float32")
    assert (other.returncode, "temperature 0.7, not 1.0" in other.stderr) == (2, True), other.stderr
    done = foggate(*arguments, FOGGATE_EDGE__DTYPE="float32")
    assert (done.returncode, out.read_bytes()) == (0, whole), done.stderr


def test_a_run_is_judged_again_by_the_gate_of_another_config(run, tmp_path):
    shutil.copytree(run / "run", tmp_path / "run")
    strict = yaml.safe_load((run / "in/evolve.yaml").read_text())
    # Nothing but the gate is taken from it.
    strict.update(gate={**strict["gate"], "min_entropy": 9.0}, seed=77)
    (tmp_path / "strict.yaml").write_text(yaml.safe_dump(strict))
    done = foggate("evolve", "--config", str(tmp_path / "strict.yaml"), "--out", str(tmp_path / "run"), "--judge")
    assert done.returncode == 0, done.stderr
    assert "not promoted: the confidence vocabulary collapsed" in done.stdout
    assert "no round passed the gate" in done.stdout
    state = json.loads((tmp_path / "run/chain.json").read_text())
    assert (state["config"]["seed"], state["config"]["gate"]["min_entropy"]) == (3, 9.0)
    done = foggate_here("evolve", "--config", str(tmp_path / "strict.yaml"), "--out", str(tmp_path / "none"), "--judge")
    assert (done.returncode, "holds no run of foggate evolve" in done.stderr) == (2, True)


def test_a_disk_that_fills_is_said_and_nothing_half_written_is_taken_for_whole(run, tmp_path):
    """A limit on the size of files stands in for the disk: the adapter does not fit."""

    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    arguments = ("evolve", "--config", str(run / "in/evolve.yaml"), "--out", str(tmp_path / "run"), "--rounds", "0")
    command = [sys.executable, "-m", "app", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, preexec_fn=small_disk)
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr
    assert "--resume continues" in done.stderr
    assert not (tmp_path / "run/R00/adapter").exists()
    assert json.loads((tmp_path / "run/chain.json").read_text())["rounds"] == []
    done = foggate(*arguments, "--resume")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run/R00/adapter").is_dir()


def test_what_is_wrong_is_said_in_a_sentence(run, tmp_path):
    config = str(run / "in/evolve.yaml")
    for arguments, says in (
        (["evolve", "--config", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "x")], "cannot be read"),
        (["evolve", "--config", config, "--out", str(run / "run")], "holds a run already"),
        (["label", "--data", str(run / "in/law.jsonl"), "--out", str(tmp_path / "x"), "--labels", "teacher"], "no cloud is configured"),
        (
            ["label", "--data", str(run / "in/law.jsonl"), "--out", str(tmp_path / "x"), "--method", "guess"],
            "'guess' is not one of 'exact', 'sample'",
        ),
    ):
        done = foggate_here(*arguments)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr
