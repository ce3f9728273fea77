"""What docs/operators.md promises of certificates: one's own authorities, and what the log says where one is not accepted."""

import asyncio
import contextlib
import logging
import shutil
import subprocess
from pathlib import Path

import pytest

from app.api.app import create_app
from app.config.settings import Settings
from app.core.errors import ConfigError
from app.demo.bank import Bank
from app.demo.server import create_demo
from app.edge.build import with_engine
from tests.integration.test_api import UNSURE
from tests.support.fakes import FakeEngine
from tests.support.loopback import loopback_client
from tests.support.servers import serving

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here to make certificates")
GUIDE = (Path(__file__).parents[2] / "docs/operators.md").read_text(encoding="utf-8")
SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A company's authority, and certificates that it signed: of this host, of another one, and one that has expired."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(folder, "req", "-x509", *key, "-days", "3", "-subj", "/CN=Company", "-keyout", "ca.key", "-out", "ca.pem")
    for name, host, days in (("good", "IP:127.0.0.1", "2"), ("other", "DNS:cloud.example.org", "2"), ("old", "IP:127.0.0.1", "-1")):
        (folder / f"{name}.ext").write_text(f"subjectAltName={host}")
        openssl(folder, "req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days, "-extfile", f"{name}.ext")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem")
    (folder / "trusted").mkdir()
    shutil.copy(folder / "ca.pem", folder / "trusted/company.pem")
    openssl(folder, "rehash", "trusted")
    return folder


@contextlib.asynccontextmanager
async def asking(url):
    """A gateway that asks this cloud; yields what asks it one question."""
    app = create_app(
        Settings(policy={"tau": 0.5}, cloud={"base_url": url + "/v1", "max_attempts": 1}), edge=with_engine(lambda _: FakeEngine())
    )
    async with serving(app) as base, loopback_client(base_url=base, timeout=30) as http:
        while (await http.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)

        async def ask():
            body = (await http.post("/v1/answer", json=UNSURE)).json()
            return body["route"], body["degraded"]

        yield ask


@contextlib.asynccontextmanager
async def secure_cloud(folder, name):
    pair = {"ssl_certfile": str(folder / f"{name}.pem"), "ssl_keyfile": str(folder / f"{name}.key")}
    async with serving(create_demo(Bank([], guess=True)), **pair) as url:
        yield url.replace("http://", "https://")


@pytest.mark.parametrize("how", ["file", "bundle", "folder"])
async def test_ones_own_authority_is_trusted(made, tmp_path, monkeypatch, how):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if how == "folder":
        monkeypatch.setenv("SSL_CERT_DIR", str(made / "trusted"))
    else:
        public = SYSTEM.read_text() if how == "bundle" and SYSTEM.exists() else ""
        (tmp_path / "ca.pem").write_text(public + (made / "ca.pem").read_text())
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with secure_cloud(made, "good") as url, asking(url) as ask:
        assert await ask() == ("cloud", False)


@pytest.mark.parametrize(
    ("name", "trusts", "reason"),
    [
        ("good", False, "unable to get local issuer certificate"),
        ("other", True, "IP address mismatch"),
        ("old", True, "certificate has expired"),
    ],
)
async def test_the_log_says_why_a_certificate_is_not_accepted_and_the_edge_answers(made, monkeypatch, caplog, name, trusts, reason):
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    if trusts:
        monkeypatch.setenv("SSL_CERT_FILE", str(made / "ca.pem"))
    else:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    async with secure_cloud(made, name) as url, asking(url) as ask:
        with caplog.at_level(logging.WARNING):
            assert await ask() == ("edge", True)
    said = [record.getMessage() for record in caplog.records if "certificate" in record.getMessage()]
    assert len(said) == 1
    assert reason in said[0]
    assert reason in GUIDE, "the guide says what to do about it"


async def test_https_where_nothing_speaks_tls_is_said(monkeypatch, caplog):
    async with serving(create_demo(Bank([], guess=True))) as url, asking(url.replace("http://", "https://")) as ask:
        with caplog.at_level(logging.WARNING):
            assert await ask() == ("edge", True)
    assert "nothing there speaks TLS" in caplog.text
    assert "nothing there speaks TLS" in GUIDE


async def test_certificates_that_cannot_be_read_are_a_sentence_at_the_start(tmp_path, monkeypatch):
    (tmp_path / "empty.pem").write_text("no certificate")
    for path in (tmp_path / "nothing.pem", tmp_path / "empty.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        fatal = asyncio.get_running_loop().create_future()
        settings = Settings(cloud={"base_url": "https://127.0.0.1:1/v1"})
        app = create_app(settings, edge=with_engine(lambda _: FakeEngine()), on_fatal=fatal.set_result)
        async with serving(app):
            try:
                sentence = await asyncio.wait_for(fatal, 10)
            except ConfigError as error:
                sentence = error.message
            assert sentence.startswith("the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read"), path
