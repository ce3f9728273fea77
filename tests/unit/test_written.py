"""A configuration that is written: what differs from the defaults, and no secret; and one that was changed by hand is kept."""

import pytest
import yaml

from app.cli.tune_files import tuned_settings, write_gateway
from app.config.loading import load_settings
from app.config.written import settings_content, settings_yaml

SECRET = "Xq7secret9Key1234567890abcdefgHIJ"


@pytest.fixture
def settings(monkeypatch):
    """Reads settings from YAML and environment variables without FOGGATE_."""

    def read(path, content="{}", **environment):
        for name, value in environment.items():
            monkeypatch.setenv("FOGGATE_" + name, value)
        path.write_text(content, encoding="utf-8")
        return load_settings(path)

    return read


def test_only_what_differs_from_the_defaults_is_written(tmp_path, settings):
    assert settings_content(settings(tmp_path / "a.yaml")) == ({}, [])
    text = (
        "edge: {model: models/ä, threads: 2}\nprices: {big: {input: 0.5}}\ncloud: {base_url: 'http://127.0.0.1:9100/v1', max_attempts: 3}\n"
    )
    content, left_out = settings_content(settings(tmp_path / "b.yaml", text, DEADLINE_MS="5000"))
    assert content == {
        "edge": {"model": "models/ä", "threads": 2},
        "cloud": {"base_url": "http://127.0.0.1:9100/v1"},
        "prices": {"big": {"input": 0.5}},
        "deadline_ms": 5000,
    }
    assert left_out == []


def test_what_was_written_is_read_as_the_same_settings(tmp_path, settings):
    text = "cloud: {extra_body: {temperature: null, chat_template_kwargs: {enable_thinking: false}}, endpoints: {backup: {base_url: 'http://b.example/v1'}}}\n"
    before = settings(tmp_path / "a.yaml", text, POLICY__ON_CLOUD_FAILURE="error", LIMITS__MAX_QUESTIONS="7")
    content, left_out = settings_content(before)
    assert left_out == []
    (tmp_path / "b.yaml").write_text(settings_yaml(content, ["Two\nlines"]), encoding="utf-8")
    assert (tmp_path / "b.yaml").read_text(encoding="utf-8").startswith("# Two lines\n\n")
    assert load_settings(tmp_path / "b.yaml") == before


def test_no_secret_is_written_wherever_it_stands(tmp_path, settings):
    text = (
        f"cloud:\n  extra_headers: {{x-token: '{SECRET}'}}\n  extra_body: {{user: '{SECRET}', top_k: 3}}\n"
        f"  endpoints: {{backup: {{base_url: 'https://me:{SECRET}@b.example/v1', priority: 4}}}}\n"
    )
    given = settings(tmp_path / "a.yaml", text, CLOUD__BASE_URL=f"https://c.example/v1?key={SECRET}", CLOUD__API_KEY=SECRET)
    content, left_out = settings_content(given)
    assert SECRET not in yaml.safe_dump(content)
    paths = ["base_url", "api_key", "endpoints.backup.base_url", "extra_headers", "extra_body"]
    assert sorted(left_out) == sorted(f"cloud.{path}" for path in paths)
    assert content == {"cloud": {"endpoints": {"backup": {"priority": 4}}}}
    said = write_gateway(tmp_path / "gateway.yaml", given, ["About."])
    assert SECRET not in (tmp_path / "gateway.yaml").read_text(encoding="utf-8")
    assert "cloud.api_key (FOGGATE_CLOUD__API_KEY)" in said[0]


def test_a_calibration_takes_the_place_of_other_thresholds(tmp_path, settings):
    text = "policy: {tau: 0.3, signal: margin, domains: {law: {tau: 0.9}}, on_cloud_failure: error}\n"
    tuned, said = tuned_settings(settings(tmp_path / "a.yaml", text), tmp_path / "calibration.json")
    content, _ = settings_content(tuned)
    assert content == {"policy": {"calibration": str(tmp_path / "calibration.json"), "on_cloud_failure": "error"}}
    assert said == ["The new configuration holds the new calibration instead of your policy.tau and policy.signal and policy.domains."]
    assert tuned_settings(settings(tmp_path / "b.yaml"), tmp_path / "calibration.json")[1] == []


def test_a_file_that_was_changed_by_hand_is_kept_and_one_of_ours_is_replaced(tmp_path, settings):
    path, kept = tmp_path / "gateway.yaml", tmp_path / "gateway.yaml.before"
    first, second = settings(tmp_path / "a.yaml", "deadline_ms: 1000\n"), settings(tmp_path / "b.yaml", "deadline_ms: 2000\n")
    assert write_gateway(path, first, ["First."]) == []
    assert write_gateway(path, second, ["Second."]) == []
    assert not kept.exists()
    assert load_settings(path) == second
    changed = path.read_text(encoding="utf-8").replace("2000", "3000")
    path.write_text(changed, encoding="utf-8")
    assert write_gateway(path, first, []) == ["gateway.yaml was changed by hand; the changed file is kept as gateway.yaml.before."]
    assert (kept.read_text(encoding="utf-8"), load_settings(path)) == (changed, first)
