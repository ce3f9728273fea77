"""TLS by a proxy: `config/nginx-tls.conf` with a real nginx and a certificate made for the test. `make test-nginx`."""

import asyncio
import json
import shutil
import ssl
import subprocess

import httpx2
import pytest

from app.bench.processes import free_port
from app.cli.gateway_client import ask_gateway
from app.core.errors import CloudUnavailable, InvalidQuestion
from tests.support.processes import ROOT, Process, foggate

pytestmark = pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("openssl")), reason="nginx or openssl is not installed")
NAME = "foggate.example.org"
ASK = {"question": "I am sure of this", "options": ["a", "b"]}


@pytest.fixture
async def served(tmp_path, monkeypatch):
    """A gateway with a key behind nginx with TLS: the ports of http and https, the certificate, the key."""
    made = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={NAME}".split()
    names = ["-addext", f"subjectAltName=DNS:{NAME},DNS:localhost,IP:127.0.0.1", "-keyout", "privkey.pem", "-out", "fullchain.pem"]
    subprocess.run([*made, *names], check=True, capture_output=True, cwd=tmp_path)
    key = json.loads(
        foggate("keys", "create", "--file", str(tmp_path / "keys.json"), "--permission", "admin", "--permission", "answer", "--json").stdout
    )["key"]
    gateway = Process(
        tmp_path,
        "gateway",
        module="tests.support.dummy_gateway",
        FOGGATE_SECURITY__KEYS=str(tmp_path / "keys.json"),
        FOGGATE_SECURITY__ALLOWED_HOSTS=json.dumps([NAME, "localhost", "127.0.0.1"]),
        FOGGATE_SECURITY__TRUSTED_PROXIES='["127.0.0.1"]',
    )
    http, https = free_port(), free_port()
    text = (ROOT / "config/nginx-tls.conf").read_text()
    for written, instead in (
        ("127.0.0.1:8080", (await gateway.url()).removeprefix("http://")),
        ("listen 80;", f"listen 127.0.0.1:{http};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{https} ssl;"),
        ("/etc/nginx/tls/", f"{tmp_path}/"),
        ("/run/nginx.pid", f"{tmp_path}/nginx.pid"),
        ("/var/log/nginx/error.log", f"{tmp_path}/error.log"),
    ):
        assert written in text
        text = text.replace(written, instead)
    (tmp_path / "nginx.conf").write_text(text)
    nginx = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"])
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", https)
            except OSError:
                assert nginx.poll() is None
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield http, https, tmp_path / "fullchain.pem", key
    finally:
        nginx.terminate()
        await asyncio.to_thread(nginx.wait)
        await gateway.stop()


async def test_tls_ends_at_the_proxy_and_the_key_reaches_the_gateway(served, monkeypatch):
    http, https, certificate, key = served
    context = ssl.create_default_context(cafile=certificate)
    async with httpx2.AsyncClient(verify=context, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        moved = await client.get(f"http://127.0.0.1:{http}/v1/models", headers={"host": NAME})
        assert (moved.status_code, moved.headers["location"]) == (308, f"https://{NAME}/v1/models")
        answered = await client.post(f"https://localhost:{https}/v1/answer", json=ASK)
        assert (answered.status_code, answered.json()["route"]) == (200, "edge")
        assert "max-age" in answered.headers["strict-transport-security"]
        lines = await client.post(
            f"https://localhost:{https}/v1/answers", json={"questions": [ASK, ASK]}, headers={"accept": "application/x-ndjson"}
        )
        assert len(lines.text.splitlines()) == 2
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        only = ssl.create_default_context(cafile=certificate)
        only.minimum_version = only.maximum_version = version
        async with httpx2.AsyncClient(verify=only, timeout=30) as client:
            assert (await client.get(f"https://localhost:{https}/health/ready")).status_code == 200

    def ask(scheme, port):
        return ask_gateway(f"{scheme}://127.0.0.1:{port}", ASK, key=key)

    with pytest.raises(CloudUnavailable, match="certificate is not trusted"):
        await asyncio.to_thread(ask, "https", https)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert (await asyncio.to_thread(ask, "https", https))["route"] == "edge"
    with pytest.raises(CloudUnavailable, match="try https://"):
        await asyncio.to_thread(ask, "http", https)
    with pytest.raises(InvalidQuestion, match=r"says 401: .*--key"):
        await asyncio.to_thread(ask_gateway, f"https://127.0.0.1:{https}", ASK)
