"""`foggate config check` finds what `serve` would refuse, all of it, without reading weights; and shows no secret."""

import json
import os
import socket
import subprocess
import sys
from datetime import date

import pytest

from app.access.keys import Key, KeyFile, write_keys
from app.bench.processes import free_port
from app.cli.config_check import examine
from app.config.loading import load_settings
from app.config.settings import Settings
from app.core.errors import ConfigError
from app.edge.builtin import find_builtin
from tests.support.processes import ROOT, foggate
from tests.support.tiny import CHATML, tiny_model, tiny_tokenizer

SHIPPED_CALIBRATION = find_builtin("builtin").calibration
SAFE = {"server": {"port": 0}}


def problems(**sections):
    return examine(Settings(**SAFE | sections)).problems


def notes(**sections):
    return examine(Settings(**SAFE | sections)).notes


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = tiny_tokenizer(CHATML)
    tiny_model("llama", len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_the_defaults_are_fine():
    assert problems() == []
    assert notes() == []


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"server": {"host": "0.0.0.0", "port": 0}}, "can be reached from other machines and no keys are configured"),
        ({"server": {"host": "203.0.113.7", "port": 0}, "security": {"insecure": True}}, "cannot listen on 203.0.113.7:0"),
        (
            {"server": {"host": "no.such.host.invalid", "port": 0}, "security": {"insecure": True}},
            "cannot listen on no.such.host.invalid: the name does not resolve",
        ),
        ({"security": {"keys": "none.json"}}, "the key file none.json cannot be read"),
        ({"security": {"keys": "."}}, "the key file . cannot be read"),
        ({"security": {"keys": "README.md"}}, "README.md is not a key file"),
        ({"policy": {"calibration": "none.json"}}, "the calibration none.json cannot be read"),
        ({"policy": {"calibration": "README.md"}}, "README.md is not a calibration"),
        ({"policy": {"calibration": "config"}}, "the calibration config cannot be read"),
        ({"edge": {"model": "/no/such/folder"}}, "edge.model '/no/such/folder' is neither a folder with a model nor a model id"),
        ({"edge": {"model": "docs"}}, "edge.model 'docs' is neither a folder with a model nor a model id"),
        ({"edge": {"model": "nobody/nothing"}}, "edge.model 'nobody/nothing' is neither"),
        (
            {"edge": {"cache_dir": "README.md/cache"}},
            "the builtin model smollm2-135m-instruct cannot be written to its cache folder (Not a directory)",
        ),
        ({"edge": {"device": "cuda:7"}}, "edge.device is 'cuda:7', but this torch sees no CUDA device"),
        ({"edge": {"device": "toaster"}}, "edge.device 'toaster' is not a device"),
        ({"edge": {"adapter": "/no/such/adapter"}}, "edge.adapter '/no/such/adapter' could not be merged"),
        ({"edge": {"adapter": "docs"}}, "the adapter 'docs'"),
        ({"limits": {"store": "redis://host:port/0"}}, "limits.store is not a URL of a Redis server"),
        ({"limits": {"store": "redis://:s3cret@host:99999999/0"}}, "limits.store is not a URL"),
        ({"limits": {"store": "redis://:s3cret@host/0"}}, "limits.store is not a URL"),
        ({"limits": {"store": "rediss://:s3cret@:6379"}}, "limits.store is not a URL"),
        ({"limits": {"store": "redis://:s3cret/@host:6379/0"}}, "limits.store is not a URL"),
        ({"cloud": {"budget": {"cost_per_day": 1.0}}}, "cloud.budget.cost_per_day needs the prices"),
    ],
)
def test_what_serve_would_refuse_is_found(sections, says):
    (problem,) = problems(**sections)
    assert says in problem
    assert "s3cret" not in problem


def test_all_problems_are_found_at_once(tmp_path):
    found = problems(security={"keys": tmp_path / "a"}, policy={"calibration": tmp_path / "b"}, edge={"model": str(tmp_path / "c")})
    assert [word in sentence for word, sentence in zip(("key file", "calibration", "edge.model"), found, strict=True)] == [True] * 3


def test_a_model_folder_is_looked_at_without_its_weights(model, tmp_path):
    assert problems(edge={"model": str(model)}) == []
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in model.iterdir():
        if file.suffix != ".safetensors":
            (broken / file.name).write_bytes(file.read_bytes())
    assert "holds no weights" in problems(edge={"model": str(broken)})[0]
    (broken / "model.safetensors").write_bytes(b"x")
    assert problems(edge={"model": str(broken)}) == [], "what is in them is not read"
    (broken / "chat_template.jinja").write_text("{{ raise_exception('no questions here') }}")
    assert "cannot render a question (no questions here)" in problems(edge={"model": str(broken)})[0]
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"model_type": "t5"}))
    assert "has the architecture 't5'" in problems(edge={"model": str(broken)})[0]


def test_a_calibration_of_another_edge_or_signal_is_found(model, tmp_path):
    shipped = json.loads(SHIPPED_CALIBRATION.read_text())
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(shipped))
    policy = {"calibration": path}
    assert problems(policy=policy) == [], "of the builtin model, for the builtin model"
    assert (
        "policy.calibration is for another edge model: it was made with smollm2-135m-instruct"
        in problems(policy=policy, edge={"model": str(model)})[0]
    )
    assert "for another adapter" in problems(policy=policy, edge={"model": "builtin-base"})[0]
    assert "but the thresholds of policy.calibration are for 'expected'" in problems(policy=policy | {"signal": "verbalized"})[0]
    path.write_text(json.dumps(shipped | {"prompt_fingerprint": "0" * 12}))
    assert "another rendering of the prompt" in problems(policy=policy)[0]
    assert "another rendering of the prompt" in problems(policy={"calibration": SHIPPED_CALIBRATION}, edge={"prompt_family": "qwen"})[0]


def test_what_may_surprise_is_noted(tmp_path, monkeypatch):
    monkeypatch.setenv("FOGGATE_VERSION", "1.2.3")
    keys = tmp_path / "keys.json"
    write_keys(keys, KeyFile(keys=[Key(id="0" * 12, sha256="0" * 64, created=date(2026, 1, 1), revoked=date(2026, 1, 2))]))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = examine(Settings(server={"port": port}, security={"keys": keys}, policy={"tau": 0.5}))
    assert found.problems == []
    starts = (
        "the environment variable FOGGATE_VERSION is no setting",
        f"cannot listen on 127.0.0.1:{port}: another process listens there already",
        f"{keys} holds no valid key",
        "policy.tau 0.5 takes the place of the builtin calibration's",
    )
    assert [note.startswith(start) for note, start in zip(found.notes, starts, strict=True)] == [True] * 4


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("builtin", "smollm2-135m-instruct is not in its cache folder yet: the first start fetches 98.4 MB and converts it to 0.3 GB"),
        (
            "builtin-1.5b",
            "qwen2.5-coder-1.5b-instruct is not in its cache folder yet: the first start fetches 1.1 GB and converts it to 3.6 GB",
        ),
    ],
)
def test_what_the_first_start_of_a_builtin_model_does_is_noted(model, says, tmp_path):
    assert notes(edge={"model": model, "cache_dir": tmp_path})[-1] == f"the builtin model {says}"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "must be http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "zipkin"}, "must be otlp or none"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318", "OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, None),
    ],
)
def test_tracing_that_would_fail_at_start_is_found(environment, says, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = problems(tracing={"enabled": True})
    assert (found == []) if says is None else (says in found[0])
    assert problems(tracing={"enabled": False}) == []


def test_packages_that_are_not_installed_are_found():
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = sys.modules['redis'] = None\n"
        "from app.cli.config_check import examine\nfrom app.config.settings import Settings\n"
        "settings = Settings(server={'port': 0}, tracing={'enabled': True}, limits={'store': 'redis://127.0.0.1:1/0'})\n"
        "print('\\n'.join(examine(settings).problems))\n"
        "assert 'torch' not in sys.modules, 'it takes seconds to import, and OpenMP reads the wait policy when it is imported'"
    )
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert [line.rpartition("pip install ")[2] for line in done.stdout.splitlines()] == ["'foggate[otel]'", "'foggate[redis]'"]
    assert done.stderr == ""


def test_the_command_prints_everything_and_says_what_is_wrong(tmp_path):
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "cloud: {base_url: 'https://host/v1?code=canary-2', extra_body: {token: canary-3}}\nlimits: {store: 'redis://:canary-1@h:6379/0'}\n"
        f"policy: {{calibration: {tmp_path}/none.json}}\nsecurity: {{keys: {tmp_path}/no-keys.json}}\n"
    )
    port = str(free_port())
    done = foggate(
        *("config", "check", "--json", "--host", "0.0.0.0", "--port", port), FOGGATE_CONFIG=str(config), FOGGATE_CLOUD__API_KEY="canary-4"
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["server"] == load_settings().model_dump(mode="json")["server"] | {"host": "0.0.0.0", "port": int(port)}
    assert "canary" not in done.stdout + done.stderr
    first, second = done.stderr.splitlines()
    assert first.startswith(f"foggate: the key file {tmp_path}/no-keys.json cannot be read")
    assert second.startswith(f"foggate: the calibration {tmp_path}/none.json cannot be read")
    good = foggate(
        "config", "check", FOGGATE_SERVER__PORT="0", FOGGATE_REDIS_SERVICE_HOST="10.0.0.1", FOGGATE_EDGE__ADAPTER="", FOGGATE_CONFIG=""
    )
    assert (good.returncode, good.stderr) == (0, "")


def test_a_misspelt_variable_is_refused_by_the_check_itself(monkeypatch):
    monkeypatch.setenv("FOGGATE_POLICY_TAU", "0.5")
    with pytest.raises(ConfigError, match="did you mean FOGGATE_POLICY__TAU"):
        examine(Settings())
