"""What is written from the code into files of the repository: `make docs` writes it, `make check` and a test compare it.

    config/gateway.yaml      every setting with its default and its description
    docs/configuration.md    the tables of settings, between two marks
    docs/operators.md        the table of metrics, between two marks
    docs/command-line.md     the commands with their options, and the exit codes, between two marks each

The interface's document, docs/openapi.json, has its own test: `tests/integration/test_contract.py`.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from app.config.describe import markdown_tables, yaml_file
from app.telemetry.metrics import Metrics
from tests.support.command_page import commands_section, exit_codes_section

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Generated:
    """A file, or the part of one between the marks `<!-- NAME: begin (make docs) -->` and `<!-- NAME: end -->`."""

    file: str
    make: Callable[[], str]
    name: str = ""

    def written(self, text: str) -> str:
        """What the file should hold, from what it holds. Raises ValueError: the marks are not there once each."""
        if not self.name:
            return self.make()
        begin, end = f"<!-- {self.name}: begin (make docs) -->\n", f"<!-- {self.name}: end -->\n"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"{self.file} must hold {begin.strip()} and {end.strip()} once")
        before, _, rest = text.partition(begin)
        return before + begin + self.make() + end + rest.partition(end)[2]

    def differs(self, root: Path = ROOT) -> bool:
        """Whether the file is not what the code makes of it."""
        text = (root / self.file).read_text(encoding="utf-8")
        return text != self.written(text)


def labels_of(registry: CollectorRegistry) -> dict[str, tuple[str, ...]]:
    """Label names by metric; those of the Prometheus client's own collectors are taken from their samples."""
    known = {}
    for collector in registry._collector_to_names:
        for family in collector.collect():
            seen = tuple(sorted({label for sample in family.samples for label in sample.labels} - {"le"}))
            known[family.name] = tuple(getattr(collector, "_labelnames", seen))
    return known


def metrics_table() -> str:
    """A row for each metric of the registry."""
    registry = Metrics().registry
    labels = labels_of(registry)
    rows = [
        f"| `{family.name}{'_total' if family.type == 'counter' else ''}` | {family.type} | "
        f"{', '.join(f'`{label}`' for label in labels[family.name]) or '–'} | {family.documentation} |\n"
        for family in sorted(registry.collect(), key=lambda family: (not family.name.startswith("foggate"), family.name))
    ]
    return "| metric | type | labels | meaning |\n|---|---|---|---|\n" + "".join(rows)


METRICS = Generated("docs/operators.md", metrics_table, "metrics")
GENERATED = [
    Generated("config/gateway.yaml", yaml_file),
    Generated("docs/configuration.md", markdown_tables, "settings"),
    Generated("docs/command-line.md", commands_section, "commands"),
    Generated("docs/command-line.md", exit_codes_section, "exit codes"),
    # The Prometheus client reads the process's own numbers from /proc, which exists on Linux only.
    *([METRICS] if Path("/proc/stat").exists() else []),
]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> None:
    """Write the files, or with `--check` exit with 1 and the names of those that differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    check = parser.parse_args(arguments).check
    different = [one for one in GENERATED if one.differs(root)]
    for one in different:
        path = root / one.file
        if not check:
            path.write_text(one.written(path.read_text(encoding="utf-8")), encoding="utf-8")
        sys.stderr.write(f"{one.file} differs from the code; run: make docs\n" if check else f"wrote {one.file}\n")
    sys.exit(bool(check and different))


if __name__ == "__main__":
    main()
