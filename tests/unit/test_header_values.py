"""Keys and headers are cleaned or refused when they are read, with a sentence that never shows them."""

import pytest

from app.config.header_values import clean_headers, clean_key, merged
from app.config.loading import load_settings, masked
from app.core.errors import ConfigError

KEY = "sk-canary-0123456789"


@pytest.mark.parametrize("around", ["{}\n", "  {}", "{}\r\n", "\t{} ", "\u00a0{}\u00a0", "{}\n\n", "\u2028{}"])
def test_blanks_around_a_key_are_taken_off(around):
    assert clean_key(around.format(KEY)) == KEY


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("…", "not an ASCII character"),
        ("sk-canary…", "character 10 of 10"),
        ("sk-cаnary", "not an ASCII character"),
        ("sk-canary\x00x", "control character"),
        ("sk-canary\x1bx", "control character"),
        ("sk-canary\x7fx", "control character"),
        ("sk-canary\r\nx-admin:1", "blank or a line break"),
        ("sk-canary other", "blank or a line break"),
        ("\ufeffsk-canary", "not an ASCII character"),
        ("sk-canary\u200b", "not an ASCII character"),
        ("sk-canary\ud800", "not an ASCII character"),
        ("Bearer sk-canary", "the word Bearer"),
        ("bearer\tsk-canary", "the word Bearer"),
        ('"sk-canary"', "in quotes"),
        ("'sk-canary'", "in quotes"),
        ("“sk-canary”", "not an ASCII character"),
        ("${CANARY_KEY}", "placeholder"),
        ("{{ canary }}", "placeholder"),
        ("<your canary>", "placeholder"),
    ],
)
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key, says):
    with pytest.raises(ValueError, match=says) as refused:
        clean_key(key)
    assert "canary" not in str(refused.value)
    assert not refused.value.__cause__


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"x-token": "canary\nx: 1"}, "x-token"),
        ({"x-token": "canary…"}, "x-token"),
        ({"x-token": "canary\x00"}, "x-token"),
        ({"x token": "canary"}, "not a valid header name"),
        ({"x:token": "canary"}, "not a valid header name"),
        ({"": "canary"}, "not a valid header name"),
        ({"ключ": "canary"}, "not a valid header name"),
        ({"Content-Length": "3"}, "by the gateway itself"),
        ({"Content-Encoding": "gzip"}, "by the gateway itself"),
        ({"transfer-encoding": "chunked"}, "by the gateway itself"),
        ({"X-A": "1", "x-a": "2"}, "given twice"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(headers, says):
    with pytest.raises(ValueError, match=says) as refused:
        clean_headers(headers)
    assert "canary" not in str(refused.value)


def test_headers_are_stripped_and_merged_by_name():
    assert clean_headers({" x-a ": " b c\t"}) == {"x-a": "b c"}
    assert merged({"X-A": "1", "x-b": "2"}, {"x-a": "3"}) == {"x-a": "3", "x-b": "2"}


BACKUP = "cloud: {base_url: 'http://a/v1', endpoints: {b: {base_url: 'http://b/v1'%s}}}"


@pytest.mark.parametrize(
    ("text", "environment", "says"),
    [
        ("", {"FOGGATE_CLOUD__API_KEY": "canary…"}, "cloud.api_key: the key cannot be sent"),
        ("", {"FOGGATE_CLOUD__API_KEY": "canary\nx"}, "cloud.api_key: the key holds a blank"),
        (BACKUP % "", {"FOGGATE_CLOUD__ENDPOINTS__B__API_KEY": "canaryé"}, "cloud.endpoints.b.api_key: the key cannot be sent"),
        ("cloud: {extra_headers: {x-token: 'canaryй'}}", {}, "cloud.extra_headers: the value of the header x-token"),
        (BACKUP % ", extra_headers: {'x y': canary}", {}, "cloud.endpoints.b.extra_headers: 'x y'"),
        ("cloud: {extra_body: {messages: []}}", {}, "replace the question"),
        ("cloud: {extra_body: {stream: true}}", {}, "reads whole replies"),
        ("cloud: {extra_body: {n: 3}}", {}, "reads one reply"),
        ("cloud: {extra_body: {x: .nan}}", {}, "JSON cannot represent"),
        ("cloud: {extra_body: {x: 2026-01-01}}", {}, "JSON cannot represent"),
        ('cloud: {extra_body: {x: "\\ud800"}}', {}, "JSON cannot represent"),
        ("cloud: {answer_format: choice, extra_body: {response_format: {}}}", {}, "both set the form of an answer"),
        ("cloud: {answer_format: xml}", {}, "cloud.answer_format: "),
        ("cloud: {max_tokens: 0}", {}, "cloud.max_tokens: "),
        ("cloud: {top_logprobs: 21}", {}, "cloud.top_logprobs: "),
        ("cloud: {endpoints: {default: {base_url: 'http://b/v1'}}}", {}, "is the name of cloud.base_url"),
    ],
)
def test_what_the_cloud_could_not_be_told_ends_the_start_with_a_sentence(tmp_path, monkeypatch, text, environment, says):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        load_settings(path)
    assert says in refused.value.message
    assert "canary" not in refused.value.message


def test_a_key_with_a_trailing_newline_is_the_key(monkeypatch):
    monkeypatch.setenv("FOGGATE_CLOUD__API_KEY", KEY + "\n")
    settings = load_settings()
    assert settings.cloud.api_key.get_secret_value() == KEY
    assert KEY not in str(masked(settings))
