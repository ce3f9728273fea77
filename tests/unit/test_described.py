"""A setting is described once, where it is declared; the YAML file, the tables and the list say what stands there."""

import shutil
from types import NoneType
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel, SecretStr

from app.cli.config_show import config_show
from app.config.describe import described, list_for_terminal, markdown_tables, yaml_file
from app.config.loading import load_settings
from app.config.sections.base import setting
from app.config.settings import Settings
from app.config.tree import ANY_NAME, Kind, env_name, nodes
from tests.runs.docs import GENERATED, ROOT, Generated, main

NODES = list(nodes(Settings))
SETTINGS = [node for node in NODES if node.is_setting]


@pytest.mark.parametrize("one", GENERATED, ids=lambda one: one.file)
def test_what_is_generated_is_up_to_date(one):
    assert not one.differs(), "run: make docs"


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.path)
def test_every_setting_and_every_section_is_described_in_whole_sentences(node):
    text = node.field.description
    assert text.endswith((".", ").")), text
    assert text[0] == "`" or text[0].isupper() or text.startswith("null"), text
    assert 20 <= len(text) <= 420, len(text)
    if NoneType in get_args(node.field.annotation):
        assert "null" in text, "what null means must be said"


def nested(path, value):
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


@pytest.mark.parametrize("node", [node for node in NODES if node.field.examples], ids=lambda node: node.path)
def test_every_example_can_be_configured(node, tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump(nested(node.path, node.field.examples[0])))
    assert load_settings(file) != load_settings()


def test_the_yaml_file_is_the_defaults_and_shows_every_setting(tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml_file())
    assert load_settings(file) == load_settings()
    shown = yaml.safe_load(yaml_file())
    for node in SETTINGS:
        if ANY_NAME in node.path:
            continue
        place = shown
        for part in node.parent.split(".") if node.parent else []:
            place = place[part]
        assert (node.name in place) is not node.secret, node.path
        if node.secret:
            assert f"# {node.name}: set {env_name(node.path)}" in yaml_file()


def test_the_table_and_the_list_hold_every_setting_with_its_description():
    table, lines = markdown_tables(), "\n".join(list_for_terminal(10_000))
    for one in described():
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{one.path}` |")]
        assert one.description.replace("|", r"\|") in row
        assert one.description.replace("`", "") in lines
        assert one.variable in lines
    assert len(described()) > 80


def test_possible_values_stand_in_a_comment_unless_the_description_names_them():
    assert "# Least severe level that is logged. One of `debug`, `info`, `warning`, `error`.\n  level: info" in yaml_file()
    assert '(docs/operators.md, "Logs").\n  format: auto' in yaml_file()


def test_types_and_defaults_are_told_from_the_declarations():
    found = {one.path: one for one in described()}
    for path, values, default in (
        ("server.port", "integer from 0 to 65535", "8080"),
        ("edge.threads", "integer ≥ 0", "0"),
        ("cloud.timeout_s", "number above 0", "8.0"),
        ("cloud.breaker.failure_rate", "number above 0, at most 1", "0.5"),
        ("policy.tau", "number from 0 to 1, `null`", "null"),
        ("policy.signal", "`verbalized`, `expected`, `top_probability`, `margin`, `fitted`, `null`", "null"),
        ("policy.calibration", "path, `null`", "null"),
        ("security.allowed_hosts", "list of texts, `null`", "null"),
        ("security.insecure", "`true`, `false`", "false"),
        ("cloud.extra_headers", "names with texts", "{}"),
        ("cloud.extra_body", "names with any values", "{}"),
        ("cloud.endpoints.<name>.base_url", "URL", ""),
        ("cloud.api_key", "secret text, `null`", "null"),
    ):
        assert (found[path].values, found[path].default) == (values, default), path
    assert found["cloud.endpoints.<name>.api_key"].description.endswith("`FOGGATE_CLOUD__ENDPOINTS__<NAME>__API_KEY`.")


def test_what_a_reload_changes_is_declared_with_the_setting():
    flags = {one.path: one.reload for one in described()}
    whole = ("policy.", "cloud.", "prices.")
    assert all(reload for path, reload in flags.items() if path.startswith(whole))
    assert {path for path, reload in flags.items() if reload and not path.startswith(whole)} == {
        *(f"security.{name}" for name in ("keys", "insecure", "public_metrics", "public_docs", "allowed_hosts")),
        *("server.drain_wait_s", "log.level", "deadline_ms"),
    }


class Endpoint(BaseModel):
    password: SecretStr
    label: str = ""


class Whole(BaseModel):
    token: SecretStr | None = setting(None, "A token.")
    by_name: dict[str, Endpoint] = {}
    headers: dict[str, str] = {}
    anything: dict[str, list[str]] | None = None
    part: Endpoint | None = setting(None, "A part.", reload=True)
    texts: list[str] = []


def test_the_tree_follows_the_types():
    found = {node.path: node for node in nodes(Whole)}
    assert [path for path, node in found.items() if node.secret] == ["token", "by_name.<name>.password", "part.password"]
    assert {path: node.kind for path, node in found.items() if node.kind is not Kind.VALUE} == {
        "by_name": Kind.ENTRIES,
        "headers": Kind.TEXTS,
        "anything": Kind.FREE,
        "part": Kind.SECTION,
    }
    assert [path for path, node in found.items() if node.reload] == ["part", "part.password", "part.label"]


def test_make_docs_writes_what_differs_and_the_check_names_it(tmp_path, capsys):
    for one in GENERATED:
        (tmp_path / one.file).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / one.file, tmp_path / one.file)
    assert exit_of(tmp_path, "--check") == 0
    assert capsys.readouterr().err == ""
    for name in ("config/gateway.yaml", "docs/configuration.md"):
        file = tmp_path / name
        file.write_text(file.read_text().replace("TCP port to listen on", "A port"))
    assert exit_of(tmp_path, "--check") == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{name} differs from the code; run: make docs" for name in ("config/gateway.yaml", "docs/configuration.md")
    ]
    assert exit_of(tmp_path) == 0
    assert exit_of(tmp_path, "--check") == 0
    assert (tmp_path / "docs/configuration.md").read_text() == (ROOT / "docs/configuration.md").read_text()


def exit_of(root, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments), root)
    return int(ended.value.code)


def test_marks_that_are_gone_are_said():
    with pytest.raises(ValueError, match=r"docs/x\.md must hold <!-- a: begin"):
        Generated("docs/x.md", str, "a").written("no marks")


def test_the_command_prints_the_configuration_in_force_or_every_description(tmp_path, monkeypatch, capsys):
    file = tmp_path / "gateway.yaml"
    file.write_text("policy: {tau: 0.25}\ncloud: {extra_headers: {x-token: canary}}")
    monkeypatch.setenv("FOGGATE_CLOUD__API_KEY", "canary-2")
    config_show(file)
    shown = capsys.readouterr().out
    assert "canary" not in shown
    assert yaml.safe_load(shown)["policy"]["tau"] == 0.25
    monkeypatch.setenv("COLUMNS", "60")
    config_show(file, help_all=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == [one.path for one in described()]
    assert all(len(line) <= 60 or " " not in line.strip() for line in lines)


def test_a_word_beside_a_number_is_named_and_null_only_where_it_has_a_meaning():
    rows = {row.split("|")[1].strip(): row.split("|")[2].strip() for row in markdown_tables().splitlines() if row.startswith("| `")}
    assert rows["`edge.max_queue_size`"] == "integer ≥ 1, `auto`"
    assert rows["`edge.graphs`"] == "`auto`, `off`"
    assert rows["`edge.adapter`"] == "text, `null`"
