"""Where the gateway listens, and where its health check looks for it. Real sockets; no model."""

import http.server
import ipaddress
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app.api.listener import listen_on, reachable_at, url_of
from app.cli.given import Given
from app.cli.health import options_of, probe_gateway
from app.core.errors import ConfigError, FogGateError

HAS_IPV6 = socket.has_dualstack_ipv6()
needs_ipv6 = pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")


@pytest.fixture
def listening():
    made = []

    def on(host, port=0):
        made.extend(found := listen_on(host, port))
        return found

    yield on
    for one in made:
        one.close()


def reaches(address, port):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as caller:
        return caller.connect_ex((address, port)) == 0


@needs_ipv6
@pytest.mark.parametrize("host", ["::", "localhost"])
def test_both_families_are_reached_on_one_port(listening, host):
    port = listening(host)[0].getsockname()[1]
    assert (reaches("127.0.0.1", port), reaches("::1", port)) == (True, True)


@needs_ipv6
def test_an_ipv4_caller_of_both_families_has_an_ipv4_address(listening):
    """`::ffff:127.0.0.1` would match no entry of security.trusted_proxies."""
    listeners = listening("::")
    port = listeners[0].getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as caller:
        server = next(one for one in listeners if one.family == socket.AF_INET)
        accepted, address = server.accept()
        accepted.close()
        assert address == caller.getsockname()


@pytest.mark.parametrize(
    ("host", "ipv4", "ipv6"),
    [("127.0.0.1", True, False), ("0.0.0.0", True, False), *([("::1", False, True)] if HAS_IPV6 else [])],
)
def test_one_family_where_one_is_named(listening, host, ipv4, ipv6):
    port = listening(host)[0].getsockname()[1]
    assert (reaches("127.0.0.1", port), HAS_IPV6 and reaches("::1", port)) == (ipv4, ipv6)


def link_local():
    """An IPv6 address of this machine that is valid on one network only, with its interface; None where there is none."""
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return None
    found = [(address, name) for address, _, _, scope, _, name in map(str.split, lines) if scope == "20"]
    return f"{ipaddress.ip_address(bytes.fromhex(found[0][0]))}%{found[0][1]}" if found else None


@pytest.mark.skipif(link_local() is None, reason="this machine has no link-local IPv6 address")
def test_a_link_local_address_with_its_interface(listening):
    (listener,) = listening(link_local())
    port = listener.getsockname()[1]
    with socket.create_connection((link_local(), port)):
        pass
    assert url_of(listener) == f"http://[{link_local().replace('%', '%25')}]:{port}"


def test_a_name_of_this_machine(listening):
    listening(socket.gethostname())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::", "0.0.0.0"])
def test_a_port_that_is_taken_is_one_sentence(listening, host):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf":{port}: another process listens there already"):
            listening(host, port)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("no-such-host.invalid", "no-such-host.invalid: the name does not resolve"),
        ("a" * 70 + ".example", "the name does not resolve"),
        ("..", "the name does not resolve"),
        ("192.0.2.1", "192.0.2.1:0: that is no address of this machine"),
        ("fe80::1234", r"valid on one network only; say on which interface, as in fe80::1234%eth0"),
        ("2001:db8::1", r"\[2001:db8::1\]:0: that is no address of this machine"),
    ],
)
def test_a_host_that_is_not_ours_is_one_sentence(listening, host, says):
    with pytest.raises(ConfigError, match=says) as raised:
        listening(host)
    assert "\n" not in raised.value.message


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("[::1]", "::1"),
        (" 127.0.0.1 ", "127.0.0.1"),
        ("LocalHost", "localhost"),
        ("[::]", "::"),
        ("::", "::"),
        ("", "127.0.0.1"),
        (" ", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("FE80::1%Eth0", "fe80::1%Eth0"),
        ("::0", "::"),
        ("0:0:0:0:0:0:0:0", "::"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("::FFFF:127.0.0.1", "127.0.0.1"),
        ("::ffff:0:0", "0.0.0.0"),
    ],
)
def test_spellings_of_a_host(given, host):
    assert Given(host=given).read().server.host == host


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("*", "--host: name a host"),
        ("127.0.0.1:9000", "holds a port: set it as server.port"),
        ("localhost:80", "holds a port"),
        ("[::1]:8080", "holds a port"),
        ("http://localhost", "is not a host"),
        ("http://localhost:8080/", "is not a host"),
        ("10.0.0.0/8", "is not a host"),
        ("two words", "is not a host"),
        ("nul\0l", "is not a host"),
    ],
)
def test_what_is_no_host_is_one_sentence(host, says):
    with pytest.raises(ConfigError, match=says) as raised:
        Given(host=host).read()
    assert "\n" not in raised.value.message


@pytest.fixture
def answering():
    """A server on one address that says what it is told to; yields a function that sets that, and the port."""
    said = {"status": 200, "body": b'{"status": "ready"}'}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            said["path"], said["host"] = self.path, self.headers["host"]
            self.send_response(said["status"])
            self.end_headers()
            self.wfile.write(said["body"])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield said, server.server_port
        server.shutdown()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "localhost"])
def test_the_health_check_finds_the_gateway_wherever_it_listens(answering, monkeypatch, host):
    """A proxy of the environment is not asked: it would answer 502, or nothing at all."""
    said, port = answering
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert probe_gateway(host, port, path="/health/ready") == "ready"
    assert said["path"] == "/health/ready"


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (503, b'{"status": "loading"}', r"the gateway at http://127.0.0.1:\d+ is loading \(status 503\)"),
        (503, b'{"status": "draining"}', "is draining"),
        (200, b"<html>Welcome to nginx</html>", r"is not a FogGate gateway \(status 200\)"),
        (200, b'{"status": ["ready"]}', "is not a FogGate gateway"),
        (404, b"{}", r"is not a FogGate gateway \(status 404\)"),
        (200, b"", "is not a FogGate gateway"),
        (500, b"\xff\xfe", "is not a FogGate gateway"),
    ],
)
def test_a_gateway_that_is_not_ready_fails_the_health_check_with_a_sentence(answering, status, body, says):
    said, port = answering
    said.update(status=status, body=body)
    with pytest.raises(FogGateError, match=says):
        probe_gateway("127.0.0.1", port, path="/health/ready")


def test_nothing_there_is_said_for_each_address():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(FogGateError, match=rf"nothing answers at http://\[::1\]:{port} .*; nothing answers at http://127.0.0.1:{port} "):
        probe_gateway("::", port, path="/health/ready")
    with pytest.raises(ConfigError, match="port 0"):
        probe_gateway("::", 0, path="/health/ready")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["serve", "--host", "::", "--port=9000"], {"host": "::", "port": "9000"}),
        (["serve", "--config", "/etc/my gateway.yaml"], {"config": "/etc/my gateway.yaml"}),
        (["sh", "-c", "foggate serve --port 9000 --host 10.0.0.5"], {"host": "10.0.0.5", "port": "9000"}),
        (["serve", "--port"], {}),
        (["serve"], {}),
    ],
)
def test_the_options_of_a_running_gateway_are_found_by_its_process(arguments, found):
    code = "import sys; print(); sys.stdout.flush(); sys.stdin.read()"
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert options_of(process.pid) == found
        process.stdin.close()


def test_a_process_that_is_not_there_is_a_sentence():
    with pytest.raises(ConfigError, match="cannot be read; give --config, --host and --port"):
        options_of(2**31 - 1)


def test_the_command_takes_options_over_environment_and_its_exit_code_says_it(answering, tmp_path):
    said, port = answering
    (tmp_path / "gateway.yaml").write_text(json.dumps({"server": {"port": port, "host": "0.0.0.0"}}))
    command = [sys.executable, "-m", "app", "health"]

    def run(*arguments, **environment):
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **environment})

    ready = run("--config", str(tmp_path / "gateway.yaml"), FOGGATE_SERVER__HOST="::")
    assert (ready.returncode, ready.stdout, ready.stderr) == (0, "ready\n", "")
    said.update(status=503, body=b'{"status": "loading"}')
    loading = run("--live", FOGGATE_SERVER__PORT=str(port))
    assert (loading.returncode, loading.stdout, "is loading" in loading.stderr) == (1, "", True)
    assert said["path"] == "/health/live"


def test_urls_that_work_on_this_machine(listening):
    for host in ("0.0.0.0", "127.0.0.1", "localhost"):
        listener = listening(host)[0]
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert reachable_at("10.1.2.3") == ("10.1.2.3",)
