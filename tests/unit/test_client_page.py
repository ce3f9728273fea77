"""`make clients`: how it reads docs/clients.md, and how it compares harnesses with the gateway's own records."""

import json
import re
from pathlib import Path

import pytest

from tests.runs.clients import ADDRESS, Runner, spread, table
from tests.runs.readme import Step
from tests.support.client_page import sections
from tests.support.harness_logs import LETTERS_OF, disagreement, of_inspect, of_lm_eval, routed_letters
from tests.support.records import record, write

PAGE = (Path(__file__).parents[2] / "docs/clients.md").read_text()


def test_blocks_become_files_commands_and_what_they_print():
    text = (
        "# Title\n```sh\nmake serve\n```\n## One\n\nIn the file `a.yaml`:\n\n```yaml\nx: 1\n```\n\n```sh\npip install one==1\none run\n```\n\n"
        "```text\nok\n```\n## Two\nprose only\n## Three\n```js\nlet a\n```\n```python\nprint(1)\n```\n```text\n1\n```\n"
    )
    one, three = sections(text)
    assert (one.title, one.installs, one.files, one.steps) == (
        "One",
        ["pip install one==1"],
        {"a.yaml": "x: 1\n"},
        [Step("one run", "ok\n")],
    )
    assert three.files == {"program0.mjs": "let a\n", "program1.py": "print(1)\n"}
    assert three.steps == [Step("node program0.mjs"), Step("python program1.py", "1\n")]


@pytest.mark.parametrize("block", ["```text\nout\n```\n", "```yaml\nx: 1\n```\n", "```sh\nx\n```\n```text\n1\n```\n```text\n2\n```\n"])
def test_a_block_that_would_not_be_run_is_an_error(block):
    with pytest.raises(ValueError, match="One"):
        sections(f"## One\n{block}")


def test_every_client_has_an_exact_version_and_shows_what_it_prints():
    found = sections(PAGE)
    assert len(found) == 9
    for section in found:
        assert all(step.shown for step in section.steps), section.title
        for install in section.installs:
            words = [word.strip("'") for word in install.split()[2:]]
            pinned = re.compile(r"@?[\w./-]+@\d[\w.]*" if install.startswith("npm") else r"[\w-]+(\[\w+\])?==\d[\w.]*")
            assert [word for word in words if not pinned.fullmatch(word)] == []
    assert set(LETTERS_OF) <= {section.title for section in found}


def test_a_harness_agrees_with_the_records_only_where_each_letter_does(tmp_path):
    rows = [record("sure", "law", 0.75, "B", "C", marginal="D"), record("unsure", "law", 0.25, "B", "A")]
    records = write(tmp_path / "records.jsonl", rows)
    expected = routed_letters(records, "verbalized", 0.5)
    assert expected == {"sure": ("B", "A"), "unsure": ("A", "A")}
    # The answer of every other signal is the most probable option.
    assert routed_letters(records, "expected", 0.5) == {"sure": ("D", "A"), "unsure": ("A", "A")}
    assert disagreement({"sure": ("B", False), "unsure": ("A", True)}, expected) == (": 1 of 2 correct, 1 of 2 by the records", [])
    for wrong in ({"sure": ("C", False)}, {"sure": ("B", True)}, {"sure": (None, False)}):
        assert len(disagreement({"unsure": ("A", True), **wrong}, expected)[1]) == 1
    assert len(disagreement({"unsure": ("A", True)}, expected)[1]) == 1


def test_logs_of_both_harnesses_are_read(tmp_path):
    (tmp_path / "results/foggate").mkdir(parents=True)
    lines = [
        {"doc": {"id": "a"}, "filtered_resps": ["B"], "exact_match": 1.0},
        {"doc": {"id": "b"}, "filtered_resps": ["C"], "exact_match": 0.0},
    ]
    (tmp_path / "results/foggate/samples_bank_2026.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "logs").mkdir()
    samples = [
        {"id": "a", "scores": {"choice": {"answer": "B", "value": "C"}}},
        {"id": "b", "scores": {"choice": {"answer": "C", "value": "I"}}},
    ]
    (tmp_path / "logs/one.json").write_text(json.dumps({"samples": samples}))
    assert of_lm_eval(tmp_path) == of_inspect(tmp_path) == {"a": ("B", True), "b": ("C", False)}


PAGE_OF_FOUR = """
## Good
```sh
echo "at http://127.0.0.1:8080"
```
```text
at http://here:1
```
## Bad
```sh
echo one; exit 3
```
## Other
```sh
echo one
```
```text
two
```
## Absent
```sh
npm install ./nowhere
echo never
```
## Inspect
```sh
mkdir logs; cp questions.jsonl logs/one.json
```
"""


def test_every_client_has_a_row_whatever_becomes_of_it(tmp_path, capsys):
    log = {"samples": [{"id": "a", "scores": {"choice": {"answer": "B", "value": "C"}}}]}
    (tmp_path / "questions.jsonl").write_text(json.dumps(log))
    asked = []

    def letters():
        asked.append(1)
        return {"a": ("B", "B")}

    runner = Runner("http://here:1", tmp_path / "questions.jsonl", letters)
    rows = [runner.follow(section) for section in sections(PAGE_OF_FOUR)]
    assert [row.result for row in rows] == ["ok", "FAILED", "FAILED", "skipped", "ok"]
    assert rows[4].note == "1 of 1 correct, 1 of 1 by the records"
    assert asked == [1]
    shown = capsys.readouterr().out
    assert "exit code 3" in shown
    assert "the page shows 'two'" in shown
    assert "never" not in shown
    last = table(rows).splitlines()
    assert last[-1] == "2 ok, 2 FAILED, 1 skipped, of 5 clients"
    assert [line.split(" | ")[2] for line in last[2:7]] == [row.result for row in rows]
    assert ADDRESS not in shown
    assert [path.name for path in tmp_path.iterdir() if path.name in {"good", "bad", "other", "inspect"}] == []


def test_the_questions_are_spread_over_the_bank_and_each_is_asked_once():
    assert spread(list("abcdefghij"), 5) == list("acegi")
    assert spread(list("abc"), 9) == list("abc")
    assert spread(list("abc"), 0) == []
