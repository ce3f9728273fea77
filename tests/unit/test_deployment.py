"""What is shipped for running a gateway elsewhere: image, compose files, systemd unit. Nothing here needs a container engine."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from app.cli.exit_codes import USAGE
from app.config.loading import load_settings

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
COMPOSE = ["docker-compose.yml", "docker-compose.gpu.yml"]


def services(name):
    return yaml.safe_load((ROOT / name).read_text())["services"]


@pytest.mark.parametrize("name", COMPOSE)
def test_every_foreign_image_is_pinned_by_its_digest(name):
    foreign = [service["image"] for service in services(name).values() if "build" not in service]
    assert foreign
    assert [image for image in foreign if not PINNED.fullmatch(image)] == []


def test_the_image_stands_on_a_pinned_base_and_says_what_it_is():
    lines = (ROOT / "Dockerfile").read_text()
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", lines, re.MULTILINE)
    assert PINNED.fullmatch(base)
    assert set(re.findall(r"^FROM (\S+)", lines, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    labels = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', lines))
    assert {"title", "description", "licenses", "version", "revision", "created", "source", "base.name"} <= set(labels)
    last_stage = lines.rpartition("FROM ")[2]
    recipe = (ROOT / "Makefile").read_text().partition("image: ##")[2].partition("\n\n")[0]
    for argument in [value[1:] for value in labels.values() if value.startswith("$")]:
        assert f"ARG {argument}" in last_stage
        assert argument == "PYTHON_IMAGE" or f"--build-arg {argument}=" in recipe


@pytest.mark.parametrize("name", COMPOSE)
def test_the_gateways_of_a_compose_file_have_a_valid_configuration(name, monkeypatch):
    gateways = {key: service for key, service in services(name).items() if key.startswith("gateway")}
    assert len(gateways) == 2
    for gateway in gateways.values():
        for variable, value in gateway["environment"].items():
            monkeypatch.setenv(variable, value)
        assert load_settings().cloud.base_url is not None


def test_the_gpu_gateways_have_a_gpu_and_keep_their_models():
    composed = yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text())
    for name in ("gateway-1", "gateway-2", "vllm"):
        service = composed["services"][name]
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
        mounted = {volume.partition(":")[0]: volume.partition(":")[2] for volume in service["volumes"]}
        assert set(mounted) <= set(composed["volumes"])
        cache = service["environment"].get("HF_HOME", "/root/.cache/huggingface")
        assert any(cache.startswith(folder) for folder in mounted.values())
        # The root file system may be read-only, so nothing else can hold a model.
        if name != "vllm":
            assert service["environment"]["FOGGATE_EDGE__DEVICE"] == "cuda"


def unit():
    found = {}
    for line in (ROOT / "config/foggate.service").read_text().splitlines():
        name, is_set, value = line.partition("=")
        if is_set and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_does_not_restart_what_a_restart_cannot_mend_and_waits_for_what_was_accepted():
    assert unit()["RestartPreventExitStatus"] == [str(USAGE)]
    settings = load_settings()
    longest = settings.server.drain_wait_s + settings.limits.body_timeout_s + settings.deadline_ms / 1000 + 5
    assert int(unit()["TimeoutStopSec"][0]) > longest
    program, command, *_ = shlex.split(unit()["ExecStart"][0])
    assert (program, command) == ("/opt/foggate/bin/foggate", "serve")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path):
    # It looks whether the program is there.
    text = (ROOT / "config/foggate.service").read_text().replace("/opt/foggate/bin/foggate", "/bin/true")
    (tmp_path / "foggate.service").write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / "foggate.service"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
