"""No secret is shown, whatever it is called and wherever it stands; what is no secret stays readable."""

import json
import traceback
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from app.config.loading import load_settings, masked
from app.config.masking import MASK, mask_model, mask_text, mask_url, secrets_in
from app.config.settings import Settings
from app.core.errors import ConfigError

CANARY = "cAn4ry-9f"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://:{CANARY}@redis:6379/0", f"redis://{MASK}@redis:6379/0"),
        (f"rediss://user:{CANARY}@redis:6379/0", f"rediss://{MASK}@redis:6379/0"),
        (f"redis://:{CANARY}/with#odd?signs@redis:6379/0", f"redis://{MASK}@redis:6379/0"),
        (f"redis://redis:6379/0?password={CANARY}&db=1", f"redis://redis:6379/0?password={MASK}&db=1"),
        (f"redis://redis:6379?username=u&foo={CANARY}", f"redis://redis:6379?username={MASK}&foo={MASK}"),
        (f"https://{CANARY}@host/v1", f"https://{MASK}@host/v1"),
        (f"https://host/v1?api-key={CANARY}&api-version=2024-10-21", f"https://host/v1?api-key={MASK}&api-version=2024-10-21"),
        (f"https://host/v1?sv=2022-11-02&sig={CANARY}%3D&se=2026-01-01T00%3A00Z", f"https://host/v1?sv=2022-11-02&sig={MASK}&se={MASK}"),
        (f"https://host/v1?code=1234&subscription-key=12#{CANARY}", f"https://host/v1?code=1234&subscription-key={MASK}#{MASK}"),
        (f"https://host/v1?{CANARY}", f"https://host/v1?{MASK}"),
        ("https://host/sk-abcdefgh12345678/v1", f"https://host/{MASK}/v1"),
        ("https://host/Zm9vYmFy8J2kQ0pLx7TnWv3Rb5Yc/v1", f"https://host/{MASK}/v1"),
        ("https://host:8443/openai/deployments/gpt-4o/v1?api-version=2025-01-01-preview",) * 2,
        ("http://127.0.0.1:9100/v1",) * 2,
        ("http://[::1]:9100/v1",) * 2,
        ("memory://",) * 2,
        ("redis://redis:6379/0",) * 2,
    ],
)
def test_what_is_secret_in_a_url_is_masked(url, shown):
    assert mask_url(url) == shown
    assert CANARY not in mask_text(f"Error connecting to {url}.")
    assert CANARY not in mask_text(f"{{'url': '{url}'}}")


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-Ab12Cd34Ef56",
        "authorization: Bearer abc.def-123",
        "headers {'Authorization': 'Basic dXNlcjpwYXNz='}",
        "got api_key=hunter22 from the file",
        "{'password': 'hunter22'}",
        '{"client_secret": "hunter22"}',
        "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
        "hf_AbCdEfGhIjKlMnOpQrSt",
        "ghp_0123456789abcdef0123456789abcdef0123",
        "AKIAIOSFODNN7EXAMPLE is the id",
        "the key fg_0123456789ab_" + "a1B2" * 10 + "xyz",
    ],
)
def test_what_has_the_shape_of_a_secret_is_masked_in_a_text(text):
    shown = mask_text(text)
    assert MASK in shown
    for secret in ("sk-proj", "def-123", "dXNl", "hunter22", "eyJzdWI", "AbCdEf", "0123456789abcdef", "IOSFODNN", "a1B2a1B2"):
        assert secret not in shown


@pytest.mark.parametrize(
    "text",
    [
        "cloud.api_key: Input should be a valid string",
        "unknown setting 'policy.taw'; did you mean 'policy.tau'?",
        "unknown environment variable FOGGATE_CLOUD_API_KEY; did you mean FOGGATE_CLOUD__API_KEY?",
        "edge.model 'Qwen/Qwen3-30B-A3B-Instruct-2507' has the architecture 'Gemma3ForConditionalGeneration'",
        "HF_HUB_OFFLINE is set; weights 0123456789ab0123456789ab01234567",
        "the calibration /srv/models/Run_2026/calibration.json cannot be read",
        "cannot listen on 127.0.0.1:8080 (Address already in use)",
        "create keys (foggate keys create) and set security.keys, or allow it with --insecure",
        "see http://127.0.0.1:8080/docs, or (https://example.org/x).",
    ],
)
def test_what_is_no_secret_stays_readable(text):
    assert mask_text(text) == text


def everything_secret():
    free = {
        "api_key": CANARY + "1",
        "auth": {"token": [CANARY + "2"]},
        "metadata": {"anything": CANARY + "3"},
        "callback": f"https://u:{CANARY}4@host/x?sig={CANARY}5",
        "pin": {"secret": 987654321},
        "list": [{"x": CANARY + "6"}],
        "temperature": 0.5,
        "max_tokens": 64,
        "reasoning_effort": "low",
        "stream": False,
        "chat_template_kwargs": {"enable_thinking": False},
    }
    return {
        "cloud": {
            "base_url": f"https://user:{CANARY}7@host/v1?api-key={CANARY}8",
            "extra_headers": {"x-custom": CANARY + "a"},
            "extra_body": free,
            "endpoints": {
                "b": {"base_url": f"https://{CANARY}b@host/v1", "extra_headers": {"x-cookie": CANARY + "d"}},
                "c": {"base_url": f"https://host/v1?code={CANARY}9", "api_key": CANARY + "c"},
            },
        },
        "limits": {"store": f"redis://:{CANARY}e@redis:6379/0?x={CANARY}f"},
    }


def test_no_secret_is_shown_by_the_settings_however_they_are_printed():
    settings = Settings(**everything_secret())
    assert settings.cloud.endpoints["c"].api_key.get_secret_value() == CANARY + "c"
    shown = masked(settings)
    try:
        raise ValueError(settings)
    except ValueError:
        printed = traceback.format_exc()
    for text in (json.dumps(shown), repr(settings), str(settings), f"{settings.cloud}", repr(settings.limits), printed):
        assert CANARY not in text
        assert "987654321" not in text
    body = shown["cloud"]["extra_body"]
    assert (body["temperature"], body["max_tokens"], body["reasoning_effort"], body["stream"]) == (0.5, 64, "low", False)
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert shown["cloud"]["extra_headers"] == {"x-custom": MASK}
    assert shown["limits"]["store"] == f"redis://{MASK}@redis:6379/0?x={MASK}"


def test_what_is_shown_without_secrets_is_what_is_set():
    settings = Settings(
        policy={"domains": {"law": {"tau": 0.5}}}, security={"allowed_hosts": ["a.example"]}, cloud={"base_url": "http://h:1/v1"}
    )
    assert masked(settings) == settings.model_dump(mode="json")


class Other(BaseModel):
    """A section whose names are none that masking could know."""

    labels: dict[str, str] = {"team": CANARY}
    options: dict[str, Any] = {"deep": [{"x": CANARY + "2"}], "size": 3}
    pin: SecretStr = SecretStr(CANARY + "3")
    parts: dict[str, "Other"] = {}


def test_what_is_masked_is_told_from_the_types():
    other = Other(parts={"a": Other(labels={"b": CANARY + "4"})})
    shown = mask_model(other)
    assert CANARY not in json.dumps(shown)
    assert (shown["labels"], shown["options"]["size"], shown["pin"], list(shown["parts"])) == ({"team": MASK}, 3, MASK, ["a"])
    assert secrets_in(other) == {CANARY + mark for mark in ("", "2", "3", "4")}


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        (f"limits: {{store: 'http://:{CANARY}@redis'}}", {}),
        (f"cloud: {{base_url: 'htt p://u:{CANARY}@host'}}", {}),
        (f"cloud: {{base_url: 'https://u:{CANARY}@host:99999/v1'}}", {}),
        (f"cloud: {{extra_body: '{CANARY}'}}", {}),
        (f"cloud: {{extra_headers: {{x: [{CANARY}]}}}}", {}),
        (f"cloud: {{base_url: 'https://u:{CANARY}@host/v1'\n  bad: [", {}),
        (f"cloud:\n\tbase_url: https://u:{CANARY}@host/v1", {}),
        ("", {"FOGGATE_CLOUD": f'{{"api_key": "{CANARY}"'}),
        ("", {"FOGGATE_CLOUD__EXTRA_HEADERS": f"x={CANARY}"}),
        ("", {"FOGGATE_CLOUD__ENDPOINTS": f'[{{"api_key": "{CANARY}"}}]'}),
        ("", {"FOGGATE_DEADLINE_MS": CANARY}),
        ("", {"FOGGATE_POLICY__TAU": CANARY}),
    ],
)
def test_a_refusal_does_not_quote_what_was_refused(text, environment, monkeypatch, tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        load_settings(file)
    assert CANARY not in "".join(traceback.format_exception(refused.value))
    assert "\n" not in refused.value.message


def test_secrets_are_found_by_value_and_plain_words_are_not():
    found = secrets_in(Settings(**everything_secret()))
    assert {CANARY + mark for mark in "12367 9abcde".replace(" ", "8")} <= found | {CANARY + "7"}
    plain = Settings(limits={"store": "redis://default:foggate@redis"}, cloud={"extra_headers": {"x-title": "foggate"}})
    assert secrets_in(plain) == {"default:foggate"}
    assert secrets_in(Settings()) == set()
    encoded = secrets_in(Settings(limits={"store": "redis://:p%40ss%2Fw0rd@redis?x=%21%40abc1"}))
    assert {"p@ss/w0rd", "p%40ss%2Fw0rd", "!@abc1"} <= encoded


def test_a_long_text_is_masked_in_time_that_grows_with_its_length():
    for piece in ("a://b@", "://", "key=", "Bearer ", "eyJ", "x" * 30 + "1", "sk-", "'key' : '"):
        mask_text(piece * (200_000 // len(piece)))
