"""`make arms`: numbers that make no sense are refused, and a table says which arms it lacks."""

import json

import pytest

from tests.runs import arms
from tests.support.records import record


def run(out, *more):
    arms.main(["--config", "config/qwen15-gpu.yaml", "--out", str(out), "--arms", "tokens,joint-fixed", *more])


def write(out, name, right):
    rows = [
        record(number, "law", 0.5, "A", "A", expected=number / 20, marginal="A" if number % 20 < right else "B") for number in range(20)
    ]
    (out / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--learning-rate", value) for value in ("0", "-1e-4", "nan", "inf", "2", "x")),
        *((option, "0") for option in ("--rows", "--dev-rows", "--per-domain")),
    ],
)
def test_a_number_that_makes_no_sense_is_refused_before_anything_is_written(option, value, tmp_path, capsys):
    with pytest.raises(SystemExit) as refused:
        run(tmp_path / "out", f"{option}={value}")
    assert refused.value.code == 2
    assert option in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_table_without_the_base_is_refused_and_makes_no_folder(tmp_path):
    with pytest.raises(SystemExit, match="no table without it"):
        run(tmp_path / "out", "--only-table")
    assert not (tmp_path / "out").exists()


def test_arms_that_are_not_measured_are_named_beside_the_table(tmp_path, capsys):
    write(tmp_path, "base", 10)
    write(tmp_path, "tokens", 12)
    run(tmp_path, "--only-table")
    said = capsys.readouterr()
    assert f"not measured in {tmp_path}: joint-fixed" in said.err
    assert [line.split("|")[1].strip() for line in said.out.splitlines()[2:]] == ["base", "tokens"]
