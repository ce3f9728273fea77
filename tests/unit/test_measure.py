"""The metrics of a checkpoint, and the strict form of their file."""

import json
import math

import pytest

from app.core.errors import ConfigError
from app.training.metrics import entropy, metrics_of, read_metrics, write_metrics
from tests.support.records import record


def test_entropy_of_a_histogram():
    assert entropy([5, 0, 0, 0, 0]) == 0
    assert entropy([2, 2, 2, 2, 2]) == pytest.approx(math.log(5))


@pytest.fixture
def metrics():
    records = [record(f"{domain}-{n}", domain, 0.25 * (n % 5), "AB"[n % 2], "A") for domain in ("law", "math") for n in range(8)]
    return metrics_of(records, checkpoint="abc", tau=0.5, seed=0)


def test_what_is_written_is_read(tmp_path, metrics):
    write_metrics(tmp_path, metrics)
    assert read_metrics(tmp_path) == metrics
    assert (metrics.checkpoint, metrics.domains["law"].n, metrics.domains["law"].edge_only) == ("abc", 8, 0.5)
    assert sum(metrics.buckets.values()) == 16
    content = json.loads((tmp_path / "metrics.json").read_text())
    del content["checkpoint"]
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    assert read_metrics(tmp_path).checkpoint is None, "as the first version wrote it"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"tau": "0.5"}, "tau: Input should be a valid number"),
        ({"signals": {}}, r"signals\.verbalized: Field required"),
        ({"mean": None}, "mean: Input should be a valid dictionary"),
    ],
)
def test_another_file_is_refused_with_a_sentence(tmp_path, metrics, changes, says):
    (tmp_path / "metrics.json").write_text(json.dumps(metrics.model_dump(mode="json") | changes))
    with pytest.raises(ConfigError, match=f"is not a metrics file: {says}"):
        read_metrics(tmp_path)


def test_metrics_that_are_missing_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"the metrics file .*metrics\.json cannot be read"):
        read_metrics(tmp_path)
