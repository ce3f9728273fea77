"""Which environment variables configure the gateway, which are somebody else's, and which say nothing."""

import os

import pytest

from app.config.environment import drop_blank, is_of_orchestrator
from app.config.loading import load_settings
from app.config.variables import unknown_variables
from app.core.errors import ConfigError


def kubernetes(service, ports=(("", 80),), ip="10.96.0.11", protocol="tcp"):
    """What the kubelet puts into every container of a namespace for one service."""
    name = service.upper().replace("-", "_")
    made = {f"{name}_SERVICE_HOST": ip, f"{name}_SERVICE_PORT": str(ports[0][1]), f"{name}_PORT": f"{protocol}://{ip}:{ports[0][1]}"}
    for port_name, port in ports:
        if port_name:
            made[f"{name}_SERVICE_PORT_{port_name.upper().replace('-', '_')}"] = str(port)
        each = f"{name}_PORT_{port}_{protocol.upper()}"
        made |= {each: f"{protocol}://{ip}:{port}", f"{each}_PROTO": protocol, f"{each}_PORT": str(port), f"{each}_ADDR": ip}
    return made


def docker_link(alias, port=6379, **environment):
    """What a docker link puts into a container."""
    name = alias.upper().replace("-", "_")
    each = f"{name}_PORT_{port}_TCP"
    made = {f"{name}_NAME": f"/web/{alias}", f"{name}_PORT": f"tcp://172.17.0.5:{port}", each: f"tcp://172.17.0.5:{port}"}
    made |= {f"{each}_PROTO": "tcp", f"{each}_PORT": str(port), f"{each}_ADDR": "172.17.0.5"}
    made |= {f"{name}_PORT_{port}_TCP_START": f"tcp://172.17.0.5:{port}", f"{name}_PORT_{port}_TCP_PORT_END": str(port)}
    return made | {f"{name}_ENV_{key}": value for key, value in environment.items()}


@pytest.mark.parametrize(
    "environment",
    [
        kubernetes("foggate"),
        kubernetes("foggate", (("http", 8080), ("metrics", 9090))),
        kubernetes("foggate-redis", (("http", 6379),)),
        kubernetes("foggate-redis", ip="fd00::11"),
        kubernetes("foggate-cloud", (("api-key", 443),)),
        kubernetes("foggate-edge", (("model", 80),)),
        kubernetes("foggate-server", (("port", 80), ("host", 81))),
        kubernetes("foggate-limits-store"),
        kubernetes("foggate-policy-tau"),
        kubernetes("foggate-dns", (("dns", 53),), protocol="udp"),
        kubernetes("foggate-sctp", protocol="sctp"),
        # A service's name may hold two hyphens in a row.
        kubernetes("foggate-server--canary"),
        {name.lower(): value for name, value in kubernetes("foggate-redis").items()},
        docker_link("foggate", PATH="/usr/bin", FOGGATE_POLICY__TAU="0.5"),
        docker_link("foggate-cloud", PYTHON_VERSION="3.11", MODEL="x"),
    ],
)
def test_variables_of_services_with_a_similar_name_are_left_alone(environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert unknown_variables(environment) == []
    assert load_settings() == load_settings(), "and they do not change any setting"
    assert load_settings().policy.tau is None
    assert load_settings().server.port == 8080


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("FOGGATE_POLICY__TAUU", "0.5", "FOGGATE_POLICY__TAU"),
        ("FOGGATE_EDEG__MODEL", "x", "FOGGATE_EDGE__MODEL"),
        ("FOGGATE_POLICY_TAU", "0.5", "FOGGATE_POLICY__TAU"),
        ("FOGGATE_TAU", "0.5", "FOGGATE_POLICY__TAU"),
        ("FOGGATE_SERVER_PORT", "9000", "FOGGATE_SERVER__PORT"),
        ("FOGGATE_PORT", "9000", "FOGGATE_SERVER__PORT"),
        ("FOGGATE_SERVICE__HOST", "10.0.0.1", "FOGGATE_SERVER__HOST"),
        ("FOGGATE_CLOUD_BASE_URL", "http://h/v1", "FOGGATE_CLOUD__BASE_URL"),
        ("FOGGATE__POLICY__TAU", "0.5", "FOGGATE_POLICY__TAU"),
        ("foggate_policy__taau", "0.5", "FOGGATE_POLICY__TAU"),
        ("FOGGATE_API_KEY", "x", "FOGGATE_CLOUD__API_KEY"),
        ("FOGGATE_CLOUD__APIKEY", "x", "FOGGATE_CLOUD__API_KEY"),
        ("FOGGATE_CLOUD__BREAKER__OPENS", "3", "FOGGATE_CLOUD__BREAKER__OPEN_S"),
        ("FOGGATE_POLICY__DOMAINS__LAW__TAUU", "0.5", "FOGGATE_POLICY__DOMAINS__LAW__TAU"),
        ("FOGGATE_CLOUD__ENDPOINTS__B__PRIORTY", "2", "FOGGATE_CLOUD__ENDPOINTS__B__PRIORITY"),
        ("FOGGATE_CLOUD__EXTRA_HEADER__X", "2", "FOGGATE_CLOUD__EXTRA_HEADERS"),
        ("FOGGATE_EDGE__MODEL__NAME", "2", "FOGGATE_EDGE__MODEL"),
        ("FOGGATE_LOGLEVEL", "debug", "FOGGATE_LOG__LEVEL"),
        ("FOGGATE_MODLE", "x", "FOGGATE_EDGE__MODEL"),
        ("FOGGATE_DEADLINE", "1", "FOGGATE_DEADLINE_MS"),
        ("FOGGATE_ENV__MODEL", "1", "FOGGATE_EDGE__MODEL"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_closest_valid_name(name, value, meant):
    with pytest.raises(ConfigError) as refused:
        unknown_variables({name: value})
    assert refused.value.message == f"unknown environment variable {name}; did you mean {meant}?"


def test_a_variable_for_a_part_of_the_settings_that_is_like_nothing_is_refused_too():
    with pytest.raises(ConfigError, match=r"unknown environment variable FOGGATE_XYZZY__QUUX$"):
        unknown_variables({"FOGGATE_XYZZY__QUUX": "1"})


def test_variables_of_other_tools_are_left_alone_and_named():
    others = {"FOGGATE_VERSION": "1.2", "FOGGATE_IMAGE": "x/y:1", "FOGGATE_NAMESPACE": "prod", "FOGGATE_REPLICAS": "2", "FOGGATE_TAG": "v1"}
    assert unknown_variables(others) == list(others)
    assert unknown_variables({"FOGGATE_CALLER_KEY": "x", "FOGGATE_CONFIG": "y", "PATH": "z", "MY_FOGGATE_X": "1"}) == []


@pytest.mark.parametrize(
    "name",
    [
        "FOGGATE_POLICY__TAU",
        "foggate_policy__tau",
        "FOGGATE_EDGE",
        "FOGGATE_CLOUD__BREAKER",
        "FOGGATE_CLOUD__ENDPOINTS",
        "FOGGATE_CLOUD__ENDPOINTS__BACKUP",
        "FOGGATE_CLOUD__ENDPOINTS__BACKUP__EXTRA_HEADERS__X_TOKEN",
        "FOGGATE_CLOUD__EXTRA_BODY__A__B__C",
        "FOGGATE_CLOUD__EXTRA_HEADERS__MY_ENV_NAME",
        "FOGGATE_PRICES__M__INPUT",
        "FOGGATE_DEADLINE_MS",
    ],
)
def test_names_of_settings_sections_and_entries_are_known(name):
    assert unknown_variables({name: "1"}) == []


def test_the_same_setting_in_two_cases_is_refused():
    with pytest.raises(ConfigError, match="FOGGATE_POLICY__TAU and foggate_policy__tau set the same thing"):
        unknown_variables({"FOGGATE_POLICY__TAU": "0.5", "foggate_policy__tau": "0.6"})
    assert unknown_variables({"FOGGATE_POLICY__TAU": "0.5", "foggate_policy__tau": ""}) == []


@pytest.mark.parametrize("nothing", ["", " ", "\t\n", '""', "''", ' "" '])
def test_an_empty_variable_means_not_set_wherever_it_stands(nothing, monkeypatch, tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text("edge: {adapter: mine, threads: 3}\ncloud: {extra_headers: {x-a: b}, endpoints: {b: {base_url: 'http://h/v1'}}}")
    for name in (
        "EDGE__ADAPTER",
        "EDGE__THREADS",
        "EDGE",
        "SECURITY__KEYS",
        "SECURITY__ALLOWED_HOSTS",
        "SECURITY__INSECURE",
        "POLICY__TAU",
        "POLICY__DOMAINS",
        "POLICY__DOMAINS__LAW__TAU",
        "POLICY__SIGNAL",
        "CLOUD__BASE_URL",
        "CLOUD__API_KEY",
        "CLOUD__EXTRA_HEADERS",
        "CLOUD__EXTRA_HEADERS__X_TOKEN",
        "CLOUD__EXTRA_BODY__TEMPERATURE",
        "CLOUD__ENDPOINTS",
        "CLOUD__ENDPOINTS__B__MODEL",
        "CLOUD__ENDPOINTS__C__BASE_URL",
        "CLOUD__BREAKER__WINDOW_S",
        "PRICES__M__INPUT",
        "LIMITS__STORE",
        "DEADLINE_MS",
        "TAUU",
    ):
        monkeypatch.setenv("FOGGATE_" + name, nothing)
    with monkeypatch.context() as clean:
        for name in [name for name in os.environ if name.startswith("FOGGATE_")]:
            clean.delenv(name)
        without = load_settings(file)
    assert load_settings(file) == without
    assert without.edge.adapter == "mine"
    assert "b" in without.cloud.endpoints


@pytest.mark.parametrize("nothing", ['""', '"  "', "null", ""])
def test_an_empty_text_in_the_file_means_not_set_too(nothing, tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text(f"edge: {{adapter: {nothing}, cache_dir: {nothing}}}\npolicy: {{calibration: {nothing}, tau: {nothing}}}")
    assert load_settings(file) == load_settings()


def test_values_lose_blanks_around_them_and_null_takes_a_value_of_the_file_back(monkeypatch, tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text("edge: {adapter: mine}\npolicy: {tau: 0.5}")
    for name, value in (
        ("CLOUD__API_KEY", "key\n"),
        ("EDGE__ADAPTER", "null"),
        ("POLICY__TAU", "null"),
        ("EDGE__MODEL", " some/model\r\n"),
    ):
        monkeypatch.setenv("FOGGATE_" + name, value)
    settings = load_settings(file)
    assert settings.cloud.api_key.get_secret_value() == "key"
    assert (settings.edge.adapter, settings.policy.tau, settings.edge.model) == (None, None, "some/model")


def test_empty_variables_of_libraries_are_dropped_but_not_one_that_means_something_when_it_is_empty():
    kept = {"CUDA_VISIBLE_DEVICES": "", "PATH": "/bin", "OMP_NUM_THREADS": "2", "MY_VARIABLE": "", "LC_ALL": ""}
    empty = [
        *("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS_", "HF_HOME", "HF_ENDPOINT", "HF_TOKEN", "TRANSFORMERS_CACHE"),
        *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_PROPAGATORS", "OTEL_BSP_SCHEDULE_DELAY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
        *("HTTPS_PROXY", "https_proxy", "no_proxy", "ALL_PROXY", "XDG_CACHE_HOME", "FOGGATE_EDGE__ADAPTER", "FOGGATE_CALLER_KEY"),
    ]
    environment = kept | dict.fromkeys(empty, " ")
    drop_blank(environment)
    assert environment == kept


def test_only_what_an_orchestrator_writes_counts_as_its_own():
    assert is_of_orchestrator("FOGGATE_PORT", "tcp://10.0.0.1:80")
    assert not is_of_orchestrator("FOGGATE_PORT", "8080")
    assert not is_of_orchestrator("FOGGATE_NAME", "gateway")


def test_entries_that_the_file_names_keep_their_names(monkeypatch, tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text(
        "cloud: {endpoints: {Backup-EU: {base_url: 'http://h/v1', extra_headers: {X-Own: none}}}, extra_headers: {X-Token: none}}\n"
        "policy: {domains: {Law: {tau: 0.1}}}\nprices: {Qwen/Qwen3-30B: {input: 1}}"
    )
    for name, value in (
        ("CLOUD__ENDPOINTS__BACKUP_EU__API_KEY", "k3y"),
        ("CLOUD__ENDPOINTS__BACKUP_EU__EXTRA_HEADERS__X_OWN", "0wn"),
        ("CLOUD__EXTRA_HEADERS__X_TOKEN", "t0ken"),
        ("POLICY__DOMAINS__LAW__TAU", "0.4"),
        ("POLICY__DOMAINS__MATH__TAU", "0.6"),
        ("PRICES__QWEN_QWEN3_30B__OUTPUT", "2"),
    ):
        monkeypatch.setenv("FOGGATE_" + name, value)
    settings = load_settings(file)
    assert settings.cloud.endpoints["Backup-EU"].api_key.get_secret_value() == "k3y"
    assert settings.cloud.endpoints["Backup-EU"].extra_headers == {"X-Own": "0wn"}
    assert settings.cloud.extra_headers == {"X-Token": "t0ken"}
    assert {name: domain.tau for name, domain in settings.policy.domains.items()} == {"Law": 0.4, "math": 0.6}
    assert (settings.prices["Qwen/Qwen3-30B"].input, settings.prices["Qwen/Qwen3-30B"].output) == (1, 2)
