"""`foggate tune`: from questions to a configuration, a calibration and a page in one command, with a real model and a real cloud."""

import asyncio
import json
import shutil

import pytest
from typer.testing import CliRunner

from app.cli.commands import cli
from app.config.loading import load_settings, read_yaml
from app.core.errors import ConfigError
from app.data.calibration import read_calibration
from app.data.records import read_records
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.server import create_demo
from tests.support.clouds import scripted
from tests.support.loopback import loopback_client
from tests.support.servers import serving
from tests.support.tiny import TEMPLATES, tiny_model, tiny_tokenizer

KEY = "sk-this-is-a-secret-0123456789"
FILES = {"gateway.yaml", "index.html", "calibration.json", "records.jsonl", "report.md", "report.json", "outcomes.jsonl"}


def run(*arguments, **environment):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], env=environment)


def tune(out, *more, data=SHIPPED_BANK, **environment):
    few = () if data is not SHIPPED_BANK else ("--per-domain", "7")
    return run("tune", "--data", data, "--out", out, *few, "--no-pictures", *more, **environment)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The settings of a tiny edge model."""
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = tiny_tokenizer(TEMPLATES["qwen3"])
    tiny_model("qwen3", len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {"FOGGATE_EDGE__MODEL": str(folder), "FOGGATE_EDGE__THREADS": "1", "FOGGATE_EDGE__CACHE_DIR": str(folder / "cache")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory, tiny):
    """A folder that was tuned without a cloud, and what the command said."""
    out = tmp_path_factory.mktemp("alone") / "tuned"
    done = tune(out, "--json", **tiny)
    assert done.exit_code == 0, done.output
    return out, json.loads(done.stdout), done.stderr


async def test_one_command_gives_a_gateway_that_answers_and_the_same_command_asks_nothing_again(tmp_path, tiny):
    out = tmp_path / "tuned"
    async with serving(create_demo(Bank(load_rows([SHIPPED_BANK]), accuracy=0.9))) as url:
        cloud = {**tiny, "FOGGATE_CLOUD__BASE_URL": url + "/v1", "FOGGATE_CLOUD__MODEL": "demo-cloud", "FOGGATE_CLOUD__API_KEY": KEY}
        done = await asyncio.to_thread(tune, out, **cloud)
        assert done.exit_code == 0, done.output
        async with loopback_client() as http:
            assert (await http.get(url + "/stats")).json()["calls"] == 49
        # Another target is chosen from the recorded answers.
        again = await asyncio.to_thread(tune, out, "--target-cloud-rate", "0.4", "--json", **cloud)
        assert again.exit_code == 0, again.output
        async with loopback_client() as http:
            assert (await http.get(url + "/stats")).json()["calls"] == 49
        assert {path.name for path in out.iterdir()} == FILES
        # The default target, in words.
        assert "loses at most 2 points of accuracy against the cloud alone" in done.stdout
        assert f"foggate serve --config {out}/gateway.yaml" in done.stdout
        said = json.loads(again.stdout)
        assert (said["target"]["kind"], said["target"]["value"]) == ("cloud_rate", 0.4)
        assert said["config"] == str(out / "gateway.yaml")
        # No secret stands in any file; the configuration says where it comes from.
        assert not [path.name for path in out.iterdir() if KEY in path.read_text(encoding="utf-8")]
        yaml = (out / "gateway.yaml").read_text(encoding="utf-8")
        assert "cloud.api_key (FOGGATE_CLOUD__API_KEY)" in yaml
        content = read_yaml(out / "gateway.yaml")
        assert content["policy"] == {"calibration": str((out / "calibration.json").resolve())}
        assert (content["cloud"]["model"], content["edge"]["model"]) == ("demo-cloud", tiny["FOGGATE_EDGE__MODEL"])
        # The gateway takes it, without anything but the key from the environment.
        key = {"FOGGATE_CLOUD__API_KEY": KEY}
        assert (await asyncio.to_thread(run, "config", "check", "--config", out / "gateway.yaml", **key)).exit_code == 0
        question = ("Which fraction equals 0.75?", "2/3", "7/10", "4/5", "3/4")
        answer = await asyncio.to_thread(run, "ask", "--config", out / "gateway.yaml", "--json", *question, **key)
        assert answer.exit_code == 0, answer.output
        reply = json.loads(answer.stdout)
        found = read_calibration(out / "calibration.json")
        assert (reply["tau"], reply["signal"]) == (found.tau, found.signal)


def test_without_a_cloud_a_share_of_the_questions_is_the_target(alone):
    out, said, stderr = alone
    assert "no cloud is asked: the edge alone is measured" in stderr
    assert (said["target"]["kind"], said["target"]["value"], said["achieved"]["n_cloud"]) == ("cloud_rate", 0.4, 0)
    assert said["why"].startswith("No cloud answer is known, so what a question gains at the cloud cannot be known.")
    assert {path.name for path in out.iterdir()} == FILES
    assert load_settings(out / "gateway.yaml").cloud.base_url is None
    assert "of the kept answers are wrong" in (out / "index.html").read_text(encoding="utf-8")


def test_a_promise_that_cannot_be_given_leaves_the_report_and_names_the_plan(alone, tmp_path, tiny):
    out = tmp_path / "tuned"
    out.mkdir()
    shutil.copy(alone[0] / "records.jsonl", out)
    done = tune(out, "--max-edge-error", "0.2", **tiny)
    message = done.exception.message
    assert "an edge error of 0.2 cannot be promised for all domains together" in message
    plan = f"foggate calibrate --plan --records {out}/records.jsonl --max-edge-error 0.2 --delta 0.1"
    assert (
        f"\nhow many questions this promise needs: {plan}\nnothing was tuned; the answers are kept, {out}/report.md shows them" in message
    )
    assert {path.name for path in out.iterdir()} == {"records.jsonl", "report.md", "report.json", "outcomes.jsonl"}


def test_records_of_other_questions_or_of_another_edge_are_refused(alone, tmp_path, tiny):
    out = shutil.copytree(alone[0], tmp_path / "tuned")
    other = tmp_path / "other.jsonl"
    lines = [json.loads(line) for line in SHIPPED_BANK.read_text(encoding="utf-8").splitlines()]
    other.write_text("".join(json.dumps({**line, "question": line["question"] + "!"}) + "\n" for line in lines), encoding="utf-8")
    assert "holds answers to 49 questions that are not in the data" in tune(out, data=other, **tiny).exception.message
    records = list(read_records(out / "records.jsonl").values())
    rows = "".join(json.dumps({**record, "edge_fingerprint": "0" * 16}) + "\n" for record in records)
    (out / "records.jsonl").write_text(rows, encoding="utf-8")
    assert "the records were made with" in tune(out, **tiny).exception.message


def few(folder, count):
    path = folder / "few.jsonl"
    path.write_text("".join(line + "\n" for line in SHIPPED_BANK.read_text(encoding="utf-8").splitlines()[:count]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("options", "count", "says"),
    [
        ([], 39, "39 questions are too few to choose a threshold: 20 are needed to choose it and 20 others to check it, 40 in all"),
        (["--target-accuracy", "0.6"], 60, "--target-accuracy is about edge and cloud together, and no cloud is asked"),
        (["--within", "0.01"], 60, "--within is about edge and cloud together"),
        (["--target-cloud-rate", "0.6", "--max-edge-error", "0.1"], 60, "give one target: --target-cloud-rate or --max-edge-error"),
        (
            ["--max-edge-error", "0.05"],
            60,
            "it takes 45 kept answers among the third of the questions that tests the promise, which is 134 questions",
        ),
        (["--max-edge-error", "0"], 60, "an error of 0 cannot be promised"),
        (["--cloud", "configured"], 60, "no cloud is configured"),
    ],
)
def test_what_cannot_succeed_is_refused_before_a_model_is_looked_for(tmp_path, options, count, says):
    done = tune(tmp_path / "tuned", *options, data=few(tmp_path, count), FOGGATE_EDGE__MODEL=str(tmp_path / "no-model"))
    assert isinstance(done.exception, ConfigError)
    assert says in done.exception.message
    assert not (tmp_path / "tuned").exists()


async def test_a_cloud_that_refuses_ends_the_run_and_what_is_recorded_stays(tmp_path, tiny):
    out = tmp_path / "tuned"
    async with scripted((401, {"error": {"message": "Incorrect API key"}})) as server:
        cloud = {"FOGGATE_CLOUD__BASE_URL": server.url + "/v1", "FOGGATE_CLOUD__MAX_ATTEMPTS": "1"}
        options = ("--cloud-concurrency", "1", "--json")
        done = await asyncio.to_thread(tune, out, *options, data=few(tmp_path, 50), **tiny, **cloud)
    assert done.exit_code == 1
    assert "the cloud failed 5 times in a row" in json.loads(done.stdout)["stopped"]
    assert {path.name for path in out.iterdir()} == {"records.jsonl"}
    assert any(record["edge_answer"] for record in read_records(out / "records.jsonl").values())
