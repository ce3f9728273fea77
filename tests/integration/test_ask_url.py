"""`foggate ask --url`: what a person types as a URL, and what they meet there. No model is loaded."""

import contextlib
import http.server
import socket
import ssl
import subprocess
import threading

import pytest

from app.cli.gateway_client import ask_gateway, gateway_address
from app.core.errors import CloudTimeout, CloudUnavailable, ConfigError, FogGateError, InvalidQuestion

BODY = {"question": "q", "options": ["a", "b"]}


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        (" http://127.0.0.1:8080/ ", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/v1/answer", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080"),
        ("http://localhost:8080/docs", "http://localhost:8080"),
        ("http://[::1]:8080/health/ready", "http://[::1]:8080"),
        ("https://example.org/foggate/v1/answers", "https://example.org/foggate"),
        ("https://example.org/foggate", "https://example.org/foggate"),
        ("HTTPS://example.org", "https://example.org"),
    ],
)
def test_an_address_is_read_from_what_people_type(typed, address):
    assert gateway_address(typed) == address


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("localhost:8080", "did you mean http://localhost:8080?"),
        ("127.0.0.1:8080/v1/answer", "did you mean http://127.0.0.1:8080/v1/answer?"),
        ("example.org", "did you mean http://example.org?"),
        ("//example.org", "did you mean http://example.org?"),
        ("", "did you mean http://127.0.0.1:8080?"),
        ("http:/127.0.0.1:8080", "needs a scheme, http:// or https://; did you mean http://127.0.0.1:8080?"),
        ("https:example.org", "did you mean https://example.org?"),
        ("ftp://example.org", "must begin with http:// or https://, not with ftp://"),
        ("htp://example.org", "not with htp://"),
        ("http://", "names no host"),
        ("http:///v1/answer", "names no host"),
        ("http://:8080", "names no host"),
        ("http://two words:80", "names no host"),
        ("http://127.0.0.1:99999", "a port from 1 to 65535"),
        ("http://127.0.0.1:http", "a port from 1 to 65535"),
        ("http://127.0.0.1:0", "port 0"),
        ("http://[::1:8080", "is not a URL"),
        ("http://ada:s3cret@127.0.0.1:8080", "must not contain a user name or a password"),
        ("ada:s3cret@127.0.0.1:8080", "did you mean http://127.0.0.1:8080?"),
        ("http://127.0.0.1:8080/?key=s3cret", "must not contain a query"),
        ("http://127.0.0.1:8080/#here", "a query or a fragment"),
    ],
)
def test_what_cannot_be_a_gateways_url_gets_a_sentence_that_helps(typed, says):
    with pytest.raises(ConfigError) as refused:
        gateway_address(typed)
    assert says in refused.value.message
    assert "s3cret" not in refused.value.message


def reply(status, content_type, body, **headers):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            # Noted before the reply is sent: a test looks as soon as it has the reply.
            self.server.asked.append(self.path)
            self.send_response(status)
            for name, value in {"content-type": content_type, "content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Keep the test's output clean."""

    return Handler


class Quiet(http.server.ThreadingHTTPServer):
    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.asked = []

    def handle_error(self, request, client_address):
        """A handshake that fails is what some tests are about."""


@contextlib.contextmanager
def serving(handler, *, tls=None):
    with Quiet(handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server, f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


HTML = reply(200, "text/html; charset=utf-8", b"<html>")
WORDS = b'{"error": {"message": "the gateway\'s own words"}}'


@pytest.mark.parametrize(
    ("handler", "path", "error", "says"),
    [
        (HTML, "", CloudUnavailable, "the server there replies 200 with text/html"),
        (reply(404, "text/plain", b"no"), "/under", CloudUnavailable, "replies 404 with text/plain; perhaps without the path"),
        (reply(404, "application/json", b'{"detail": "Not Found"}'), "", CloudUnavailable, "replies 404 with application/json"),
        (reply(301, "text/html", b"", location="https://example.org/v1/answer"), "", CloudUnavailable, "redirects to https://example.org;"),
        (
            reply(400, "text/html", b"The plain HTTP request was sent to HTTPS port"),
            "",
            CloudUnavailable,
            "perhaps it speaks https: try https://",
        ),
        (reply(502, "text/html", b"<html>Bad Gateway"), "", CloudUnavailable, "replies 502"),
        (
            reply(401, "application/json", WORDS),
            "",
            InvalidQuestion,
            "the gateway says 401: the gateway's own words; give a key with --key",
        ),
        (reply(403, "application/json", WORDS), "", InvalidQuestion, "the gateway says 403"),
        (reply(421, "application/json", WORDS), "", InvalidQuestion, "allowed_hosts"),
        (reply(422, "application/json", WORDS), "", InvalidQuestion, "the gateway says 422: the gateway's own words"),
        (reply(429, "application/json", WORDS), "", CloudUnavailable, "the gateway says 429"),
        (reply(503, "application/json", WORDS), "", CloudUnavailable, "the gateway says 503"),
    ],
)
def test_what_is_there_is_named(handler, path, error, says):
    with serving(handler) as (_, host), pytest.raises(FogGateError) as failed:
        ask_gateway(f"http://{host}{path}", BODY)
    assert says in failed.value.message
    assert type(failed.value) is error


def test_nothing_there_and_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(CloudTimeout, match=r"within 0\.2 seconds"):
            ask_gateway(f"http://127.0.0.1:{port}", BODY, timeout_s=0.2)
    with pytest.raises(CloudUnavailable, match="the connection is refused; is the gateway running, and is this its port"):
        ask_gateway(f"http://127.0.0.1:{port}", BODY)
    with pytest.raises(CloudUnavailable, match=r"there is no host with that name|no route to that host"):
        ask_gateway("http://no-such-host.invalid", BODY)


def test_a_key_that_cannot_be_sent_is_a_sentence_without_the_key():
    with serving(HTML) as (server, host):
        for key in ("fg_…", "fg_a\nx: y"):
            with pytest.raises(FogGateError) as refused:
                ask_gateway(f"http://{host}", BODY, key=key)
            assert key not in refused.value.message
            assert "the key" in refused.value.message
    assert server.asked == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, crt = folder / "key.pem", folder / "crt.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    named = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(crt)]
    subprocess.run([*made, *named], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    return context, crt


def test_http_and_https_mixed_up_and_certificates(certificate, monkeypatch):
    tls, crt = certificate
    good = reply(200, "application/json", b'{"answer": "A"}')
    with serving(good) as (_, host), pytest.raises(CloudUnavailable, match=f"it does not speak https; try http://{host}"):
        ask_gateway(f"https://{host}", BODY)
    with serving(good, tls=tls) as (_, host):
        with pytest.raises(CloudUnavailable, match=f"try https://{host}"):
            ask_gateway(f"http://{host}", BODY)
        with pytest.raises(CloudUnavailable, match="its certificate is not trusted; set SSL_CERT_FILE"):
            ask_gateway(f"https://{host}", BODY)
        monkeypatch.setenv("SSL_CERT_FILE", str(crt))
        assert ask_gateway(f"https://{host}", BODY) == {"answer": "A"}


def test_loopback_is_never_proxied_and_other_hosts_are(monkeypatch):
    good = reply(200, "application/json", b'{"answer": "A"}')
    with serving(good) as (gateway, host), serving(reply(200, "application/json", b'{"answer": "proxied"}')) as (proxy, proxy_host):
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy_host}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        port = host.rpartition(":")[2]
        for url in (f"http://{host}", f"http://localhost:{port}", f"http://127.0.0.1:{port}/v1/answer"):
            assert ask_gateway(url, BODY) == {"answer": "A"}
        assert proxy.asked == []
        assert ask_gateway("http://gateway.example.org", BODY) == {"answer": "proxied"}
        assert proxy.asked == ["http://gateway.example.org/v1/answer"]
    assert gateway.asked == ["/v1/answer"] * 3


def test_a_proxy_that_cannot_be_used_is_a_sentence(monkeypatch):
    for proxy in ("socks5://127.0.0.1:1", "nonsense://127.0.0.1:1"):
        monkeypatch.setenv("ALL_PROXY", proxy)
        monkeypatch.setenv("all_proxy", proxy)
        with pytest.raises(FogGateError) as failed:
            ask_gateway("http://gateway.example.org", BODY)
        assert "proxy" in failed.value.message
