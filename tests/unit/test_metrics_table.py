"""The table of metrics in the operators' guide is that of the registry. After an intended change: make docs"""

import re
from pathlib import Path

import pytest

from app.telemetry.metrics import Metrics
from tests.runs.docs import METRICS
from tests.runs.docs import metrics_table as table

# The Prometheus client reads the process's own numbers there.
needs_proc = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="process_* metrics exist where /proc does (Linux)")


@needs_proc
def test_the_guide_holds_the_registrys_table():
    assert not METRICS.differs(), "run: make docs"


def test_the_table_names_every_metric_with_its_labels_and_a_sentence():
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table().splitlines()[2:]]
    names = {row[0].strip("`") for row in rows}
    exposed = {line.split()[2] for line in Metrics().exposition().decode().splitlines() if line.startswith("# TYPE")}
    assert names == exposed
    assert len(rows) == len(names) > 25
    assert all(len(row) == 4 and row[3] for row in rows)
    assert ["`foggate_http_requests_total`", "counter", "`path`, `status`"] in [row[:3] for row in rows]
    assert ["`python_info`", "gauge", "`implementation`, `major`, `minor`, `patchlevel`, `version`"] in [row[:3] for row in rows]


def test_units_stand_in_the_names():
    for name in re.findall(r"`(foggate_\w+)` \| histogram", table()):
        assert name.endswith("_seconds") or name in {"foggate_edge_batch_size", "foggate_signal"}
