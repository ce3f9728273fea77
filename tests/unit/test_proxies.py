"""Which proxy of the environment a cloud is asked through, if any."""

import httpx2
import pytest

from app.cloud.proxies import connection_options, proxy_variable
from app.core.errors import ConfigError


@pytest.mark.parametrize(
    ("no_proxy", "directly"),
    [
        ("", False),
        ("*", True),
        ("other, *", True),
        ("cloud.example.org", True),
        ("CLOUD.example.org", True),
        ("example.org", True),
        (".example.org", True),
        ("*.example.org", True),
        ("cloud.example.org:8443", True),
        ("cloud.example.org:443", False),
        ("ample.org", False),
        ("cloud.example.org.evil", False),
        (".cloud.example.org", False),
        ("10.0.0.0/8", False),
        (", ,[,]:,/8,:8443", False),
    ],
)
def test_hosts_that_no_proxy_names(no_proxy, directly):
    environment = {"https": "http://proxy:1", "no": no_proxy}
    assert (proxy_variable("https://cloud.example.org:8443/v1", environment) is None) == directly


@pytest.mark.parametrize("entry", ["10.1.2.3", "10.0.0.0/8", "10.1.2.9/24", "10.1.2.3:80", "10.1.2.3/32"])
def test_addresses_that_no_proxy_names(entry):
    assert proxy_variable("http://10.1.2.3/v1", {"http": "http://proxy:1", "no": entry}) is None
    assert proxy_variable("http://11.1.2.3/v1", {"http": "http://proxy:1", "no": entry}) == "http"


@pytest.mark.parametrize("entry", ["fd00::2", "[fd00::2]", "fd00::/64", "FD00:0::2", "[fd00::2]:80"])
def test_ipv6_addresses_that_no_proxy_names(entry):
    assert proxy_variable("http://[fd00::2]/v1", {"all": "http://proxy:1", "no": entry}) is None
    assert proxy_variable("http://[fd01::2]/v1", {"all": "http://proxy:1", "no": entry}) == "all"


def test_certificates_are_read_only_where_something_is_asked_by_https(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    plain, secure = "http://127.0.0.1:1/v1", "https://127.0.0.1:1/v1"
    assert set(connection_options([plain], httpx2.Limits())) == {"trust_env", "transport", "mounts"}
    for urls in ([secure], [plain, secure]):
        with pytest.raises(ConfigError, match="the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read"):
            connection_options(urls, httpx2.Limits())
