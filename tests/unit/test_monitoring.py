"""The dashboard and the alert rules ask for metrics that exist, and Prometheus' own tool accepts them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from app.telemetry.metrics import Metrics

CONFIG = Path(__file__).parents[2] / "config"


def exposed():
    """Names as Prometheus stores them."""
    kinds = {line.split()[2]: line.split()[3] for line in Metrics().exposition().decode().splitlines() if line.startswith("# TYPE")}
    histograms = {f"{name}_{part}" for name, kind in kinds.items() if kind == "histogram" for part in ("bucket", "sum", "count")}
    return {name for name, kind in kinds.items() if kind != "histogram"} | histograms


def test_the_dashboard_and_the_rules_ask_for_metrics_that_exist():
    board = json.loads((CONFIG / "grafana/foggate.json").read_text())
    rules = yaml.safe_load((CONFIG / "prometheus/alerts.yml").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    named = {name for expression in asked for name in re.findall(r"\b(?:foggate|process)_\w+", expression)}
    assert len(named) > 12
    assert named <= exposed()
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed()} - shown == {
        "foggate_build_info",
        "foggate_cloud_request_duration_seconds",
        "process_cpu_seconds_total",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
        "python_info",
    }
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)")
def test_prometheus_accepts_its_files():
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"], cwd=CONFIG / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
