"""The table of metrics in the operators' guide is that of the registry. If a change is meant: make metrics-table"""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from app.telemetry.metrics import Metrics

GUIDE = Path(__file__).parents[2] / "docs/operators.md"
BEGIN, END = "<!-- metrics: begin (make metrics-table) -->\n", "<!-- metrics: end -->\n"


def labels_of(registry: CollectorRegistry) -> dict[str, tuple[str, ...]]:
    """Label names by metric; those of foreign collectors are seen on their samples."""
    known = {}
    for collector in registry._collector_to_names:
        for family in collector.collect():
            seen = tuple(sorted({label for sample in family.samples for label in sample.labels} - {"le"}))
            known[family.name] = tuple(getattr(collector, "_labelnames", seen))
    return known


def table() -> str:
    registry = Metrics().registry
    labels = labels_of(registry)
    rows = [
        f"| `{family.name}{'_total' if family.type == 'counter' else ''}` | {family.type} | "
        f"{', '.join(f'`{label}`' for label in labels[family.name]) or '–'} | {family.documentation} |\n"
        for family in sorted(registry.collect(), key=lambda family: (not family.name.startswith("foggate"), family.name))
    ]
    return "| metric | type | labels | meaning |\n|---|---|---|---|\n" + "".join(rows)


# The Prometheus client reads the process's own numbers there.
needs_proc = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="process_* metrics exist where /proc does (Linux)")


@needs_proc
def test_the_guide_holds_the_registrys_table():
    text = GUIDE.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == table().strip(), "run: make metrics-table"


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


if __name__ == "__main__":
    before, _, rest = GUIDE.read_text(encoding="utf-8").partition(BEGIN)
    GUIDE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")
