import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.config.loading import load_settings, masked
from app.config.pick import picked
from app.config.settings import Settings
from app.config.tree import env_name
from app.core.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def load(tmp_path, monkeypatch):
    def run(text="", **environment):
        path = tmp_path / "gateway.yaml"
        path.write_text(text)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return load_settings(path)

    return run


def test_defaults_make_a_working_gateway():
    settings = load_settings()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert (settings.edge.model, settings.policy.tau, settings.policy.signal) == ("builtin", None, None)
    assert settings.cloud.base_url is None
    assert settings.deadline_ms == 10_000


def test_environment_wins_over_file_wins_over_default(load):
    settings = load("policy: {tau: 0.3}\nedge: {threads: 2}", FOGGATE_POLICY__TAU="0.9", FOGGATE_POLICY__DOMAINS__law__TAU="0.7")
    assert settings.policy.tau == 0.9
    assert settings.edge.threads == 2
    assert settings.policy.domains["law"].tau == 0.7
    assert settings.edge.max_batch_size == "auto"


@pytest.mark.parametrize("name", ["graphs", "compile"])
def test_off_needs_no_quotation_marks(load, name):
    for text, meant in (("off", "off"), ("'off'", "off"), ("auto", "auto")):
        assert getattr(load(f"edge: {{{name}: {text}}}").edge, name) == meant
    with pytest.raises(ConfigError, match=f"edge.{name}: Input should be 'auto' or 'off'"):
        load(f"edge: {{{name}: on}}")
    assert getattr(load(**{f"FOGGATE_EDGE__{name.upper()}": "off"}).edge, name) == "off"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("policy: {taw: 0.3}", "unknown setting 'policy.taw'; did you mean 'policy.tau'?"),
        ("tau: 0.3", "unknown setting 'tau'; did you mean 'policy.tau'?"),
        ("polcy: {tau: 0.3}", "did you mean 'policy'?"),
        ("edge: {max_batch_sise: 3}", "did you mean 'edge.max_batch_size'?"),
        ("policy: {domains: {law: {taw: 0.1}}}", "policy.domains.law.taw"),
        ("policy: {tau: high}", "policy.tau: "),
        ("policy: {tau: 1.5}", "policy.tau: "),
        ("policy: {tau: .nan}", "policy.tau: "),
        ("policy: {signal: loud}", "policy.signal: "),
        ("cloud: {api_key: s3cret}", "FOGGATE_CLOUD__API_KEY"),
        ("cloud: {base_url: not a url}", "cloud.base_url: "),
        ("[1", "is not YAML"),
        ("- 1", "must hold a mapping"),
        ("deadline_ms: 0", "deadline_ms: "),
        ("1: 2", "unknown setting '1'"),
        ("_env_file: /etc/hostname", "unknown setting '_env_file'"),
        ("policy: {tau: 0.1}\nedge: {threads: 1}\npolicy: {signal: expected}", "the key 'policy' stands twice in line 3, column 1"),
        ("edge: {threads: 1, model: builtin, threads: 2}", "the key 'threads' stands twice"),
        ("policy: {domains: {law: 0.3}}", "policy.domains.law: a section of settings belongs there, as in 'law: {tau: …}'"),
        ("prices: {org/model-0.6B: 1}", "prices.org/model-0.6B: a section of settings belongs there, as in 'org/model-0.6B: {input: …}'"),
        ("cloud: {endpoints: [1]}", "cloud.endpoints: a mapping belongs there, as in '{name: …}'"),
        ("server: {cors_origins: https://a.example}", "server.cors_origins: a list belongs there, as in '[a, b]'"),
        ("security: {keys: 5}", "security.keys: the path of a file or a folder belongs there"),
        ("cloud: {base_url: api.example.org/v1}", "cloud.base_url: an address belongs there that begins with http:// or https://"),
        ("cloud: {base_url: ftp://api.example.org}", "cloud.base_url: an address belongs there that begins with http:// or https://"),
        # YAML reads these words as truth values, and pydantic would read those as 1 and 0.
        ("policy: {tau: on}", "policy.tau: Input should be a valid number"),
        ("limits: {max_text_chars: yes}", "limits.max_text_chars: Input should be a valid integer"),
        ("deadline_ms: yes", "deadline_ms: Input should be a valid integer"),
        ("prices: {a: {input: yes}}", "prices.a.input: Input should be a valid number"),
    ],
)
def test_bad_files_are_refused_with_a_sentence(load, text, says):
    with pytest.raises(ConfigError) as refused:
        load(text)
    assert says in refused.value.message
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize("name", ["max_batch_size", "max_batch_tokens", "max_queue_size"])
@pytest.mark.parametrize("value", ["lots", "0", "1.5", "[1]", "yes"])
def test_a_number_or_a_word_is_asked_for_in_one_sentence(load, name, value):
    with pytest.raises(ConfigError) as refused:
        load(f"edge: {{{name}: {value}}}")
    (line,) = refused.value.message.splitlines()
    assert line.startswith(f"edge.{name}: Input should be ")
    assert line.endswith(", or 'auto'")


def test_a_missing_file_is_said():
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(Path("/nonexistent/gateway.yaml"))


def test_a_misspelt_variable_names_the_closest_one(load):
    with pytest.raises(ConfigError, match=r"FOGGATE_CLOUD__API_KY; did you mean FOGGATE_CLOUD__API_KEY\?"):
        load(FOGGATE_CLOUD__API_KY="x")


def test_what_kubernetes_puts_into_the_environment_is_left_alone(load):
    load(FOGGATE_PORT="tcp://10.0.0.1:80", FOGGATE_SERVICE_HOST="10.0.0.1", FOGGATE_PORT_8080_TCP_ADDR="10.0.0.1")


def test_secrets_are_masked_everywhere(load):
    settings = load("cloud: {extra_headers: {x-token: canary-2}}", FOGGATE_CLOUD__API_KEY="canary-1")
    assert settings.cloud.api_key.get_secret_value() == "canary-1"
    for shown in (str(masked(settings)), str(settings.cloud.api_key), repr(settings.edge)):
        assert "canary-1" not in shown
    assert "canary-2" not in str(masked(settings))


def test_further_endpoints_come_from_the_file_and_their_keys_from_the_environment(load):
    text = "cloud: {endpoints: {backup: {base_url: 'http://127.0.0.1:9/v1', extra_headers: {x-token: canary-3}}}}"
    backup = load(text, FOGGATE_CLOUD__ENDPOINTS__BACKUP__API_KEY="canary-4").cloud.endpoints["backup"]
    assert (backup.api_key.get_secret_value(), backup.priority, backup.model) == ("canary-4", 1, None)
    shown = str(masked(load(text, FOGGATE_CLOUD__ENDPOINTS__BACKUP__API_KEY="canary-4")))
    assert "canary" not in shown
    with pytest.raises(
        ConfigError, match=r"cloud\.endpoints\.backup\.api_key is a secret .* \(FOGGATE_CLOUD__ENDPOINTS__BACKUP__API_KEY\)"
    ):
        load("cloud: {endpoints: {backup: {base_url: 'http://127.0.0.1:9/v1', api_key: s3cret}}}")
    with pytest.raises(ConfigError, match="did you mean"):
        load("cloud: {endpoints: {backup: {base_url: 'http://127.0.0.1:9/v1', prioritee: 2}}}")


def test_the_shipped_yaml_is_the_defaults():
    assert load_settings(ROOT / "config/gateway.yaml") == load_settings()


def test_env_name():
    assert env_name("cloud.api_key") == "FOGGATE_CLOUD__API_KEY"


def test_a_list_may_be_written_with_commas_or_as_json(load):
    for value in ("a.example,b.example", " a.example , b.example, ", '["a.example", "b.example"]'):
        assert load(FOGGATE_SECURITY__ALLOWED_HOSTS=value, FOGGATE_SECURITY__TRUSTED_PROXIES="").security.allowed_hosts == [
            "a.example",
            "b.example",
        ]
    assert load(FOGGATE_SECURITY__TRUSTED_PROXIES="10.0.0.0/8").security.trusted_proxies == ["10.0.0.0/8"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SECURITY__ALLOWED_HOSTS", '["a"', "security.allowed_hosts: a list belongs there"),
        ("SECURITY__TRUSTED_PROXIES", '["a"', "the environment variable FOGGATE_SECURITY__TRUSTED_PROXIES is not JSON such as ["),
        ("CLOUD__EXTRA_HEADERS", "x=1", "the environment variable FOGGATE_CLOUD__EXTRA_HEADERS is not JSON such as {"),
        ("CLOUD__BREAKER", "fast", "FOGGATE_CLOUD__BREAKER is not JSON"),
        ("EDGE", "builtin", "FOGGATE_EDGE is not JSON"),
        ("EDGE", "null", "edge: "),
    ],
)
def test_what_is_no_json_is_named(load, name, value, says):
    with pytest.raises(ConfigError) as refused:
        load(**{"FOGGATE_" + name: value})
    assert says in refused.value.message


def test_a_file_may_begin_with_a_byte_order_mark_and_merge_keys(tmp_path):
    path = tmp_path / "gateway.yaml"
    path.write_text("\ufeffprices:\n  a: &a {input: 1}\n  b: {<<: *a, output: 2}\n", encoding="utf-8")
    assert load_settings(path).prices["b"].input == 1


def test_a_section_or_a_setting_with_nothing_but_comments_beneath_it_is_not_set(load):
    assert load("policy:\n  # tau: 0.4\ncloud:\n  breaker:\n  model:\nserver: {port: }\n") == load("")
    assert load("policy:\n", FOGGATE_POLICY__TAU="0.9").policy.tau == 0.9
    assert load("cloud: {extra_body: {temperature: null}}").cloud.extra_body == {"temperature": None}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("policy: 5", "policy: a section of settings belongs there, as in 'policy: {tau: …}'"),
        ("cloud: {breaker: fast}", "cloud.breaker: a section of settings belongs there"),
        ("policy: &p\n  domains: *p", "nested too deeply, or an anchor in it stands for itself"),
        ("policy.tau: 0.4", "unknown setting 'policy.tau': a key has no dots; write 'tau' beneath 'policy:'"),
        ("limits: {store: 'http://u:s3cret@h'}", "limits.store: write memory://, redis://host:6379/0 or rediss://host:6379/0"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_its_own_words(load, text, says):
    with pytest.raises(ConfigError) as refused:
        # The environment wins over the file, and must not hide what is wrong with it.
        load(text, FOGGATE_POLICY__ON_CLOUD_FAILURE="error", FOGGATE_CLOUD__BREAKER__PROBES="2")
    assert says in refused.value.message
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize(
    "name", ["FOGGATE_CONFIG_FILE", "FOGGATE_CONFIGURATION", "FOGGATE_CONF", "FOGGATE_CONFIG_PATH", "foggate_config_yaml"]
)
def test_another_name_for_the_configuration_file_is_not_passed_over(load, name):
    with pytest.raises(ConfigError, match=r"did you mean FOGGATE_CONFIG\?"):
        load(**{name: "gateway.yaml"})


def test_a_proxy_that_nobody_could_trust_is_refused(load):
    """The server takes what it cannot read for a name that no address has."""
    assert load("security: {trusted_proxies: [10.0.0.7, 10.0.0.0/8, '::1', 'fd00::/8', '*']}").security.trusted_proxies[1] == "10.0.0.0/8"
    for given, says in (
        ("10.0.0.5/8", "did you mean 10.0.0.0/8?"),
        ("10.0.0.0/33", "as in 10.0.0.7"),
        ("nginx", "neither an address nor a network"),
    ):
        with pytest.raises(ConfigError, match=re.escape(says)):
            load(f"security: {{trusted_proxies: ['{given}']}}")


@pytest.mark.parametrize(("text", "empty"), [("", True), (" \n\n", True), ("\ufeff", True), ("{}", False), ("# all defaults\n", False)])
def test_a_file_that_is_being_written_is_not_taken_for_the_defaults(tmp_path, text, empty):
    """At a reload. At a start there is nothing to lose."""
    path = tmp_path / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_settings(path) == load_settings()
    if empty:
        with pytest.raises(ConfigError, match=r"gateway\.yaml is empty: is it being written\? To set every default, write \{\} into it"):
            load_settings(path, refuse_empty=True)
    else:
        assert load_settings(path, refuse_empty=True) == load_settings()


@pytest.mark.parametrize("text", ["api_key: s3cret", "cloud: {extra_body: {api_key: s3cret}}", "edge: {api_key: null}"])
def test_the_name_of_a_secret_is_refused_wherever_it_stands_in_a_file(load, text):
    with pytest.raises(ConfigError, match="api_key is a secret and is read from the environment only") as refused:
        load(text)
    assert "s3cret" not in refused.value.message


@dataclass(frozen=True)
class Waits:
    timeout_s: float
    max_attempts: int = 9


@dataclass(frozen=True)
class Misspelt:
    time_out_s: float = 1.0


def test_plain_values_are_picked_by_name_and_a_name_without_a_setting_is_refused():
    cloud = Settings(cloud={"timeout_s": 4.5}).cloud
    assert picked(Waits, cloud) == Waits(4.5, 3)
    with pytest.raises(AttributeError, match="time_out_s"):
        picked(Misspelt, cloud)
