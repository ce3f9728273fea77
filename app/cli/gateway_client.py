"""A client of a running gateway, for `foggate ask --url`. Every failure is one sentence that says what to do."""

import re
import ssl
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx2

from app.cloud.address import is_loopback
from app.core.errors import CloudTimeout, CloudUnavailable, ConfigError, FogGateError, InvalidQuestion

_EXAMPLE = "http://127.0.0.1:8080"
_ANSWER = "/v1/answer"
# Paths below the gateway's address that people copy from a browser, from curl or from an OpenAI client.
_OWN_PATHS = (_ANSWER, "/v1/answers", "/v1/models", "/v1", "/docs", "/openapi.json", "/metrics", "/health/live", "/health/ready")
_MAX_SAID_CHARS = 500
_HINTS = {
    401: "; give a key with --key or FOGGATE_CALLER_KEY",
    421: "; use a host name that its security.allowed_hosts contains, such as 127.0.0.1",
}


def gateway_address(url: str) -> str:
    """Return the address of a gateway from what a person typed.

    It has a scheme, a host and a port, and a path only if a proxy serves the gateway under one.

    Raises:
        ConfigError: the URL cannot be the address of a gateway. The sentence never repeats a password.
    """
    url = url.strip()
    if "://" not in url:
        # `http:/host` has a scheme and lacks one slash.
        host = re.sub(r"\Ahttps?:", "", url, flags=re.IGNORECASE).lstrip("/") or _EXAMPLE.removeprefix("http://")
        shown = f"{'https' if url.lower().startswith('https:') else 'http'}://{host}" if "@" not in host else _EXAMPLE
        raise ConfigError(f"--url needs a scheme, http:// or https://; did you mean {shown}?")
    try:
        parts = urlsplit(url)
        port, named = parts.port, parts.hostname
    except ValueError:
        raise ConfigError(f"--url is not a URL; it should look like {_EXAMPLE}, with a port from 1 to 65535") from None
    if parts.scheme not in {"http", "https"}:
        raise ConfigError(f"--url must begin with http:// or https://, not with {parts.scheme}://")
    if not named or any(character.isspace() for character in url):
        raise ConfigError(f"--url names no host; it should look like {_EXAMPLE}")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("--url must not contain a user name or a password; give an API key with --key or FOGGATE_CALLER_KEY")
    if port == 0:
        raise ConfigError("--url names port 0; the gateway prints its real port when it is ready")
    if parts.query or parts.fragment:
        raise ConfigError(f"--url must not contain a query or a fragment; it should look like {_EXAMPLE}")
    path = parts.path.rstrip("/")
    path = next((path.removesuffix(own) for own in _OWN_PATHS if path.endswith(own)), path)
    return SplitResult(parts.scheme, parts.netloc, path, "", "").geturl()


def ask_gateway(url: str, body: dict[str, Any], *, key: str | None = None, timeout_s: float = 60.0) -> dict[str, Any]:
    """POST one question to `URL/v1/answer`. A gateway on loopback is asked without a proxy.

    Args:
        url: address of the gateway as a person typed it.
        body: the JSON body of `/v1/answer`.
        key: API key, or None.
        timeout_s: seconds that each step of the exchange may take.

    Raises:
        ConfigError: the URL cannot be the address of a gateway.
        InvalidQuestion: the gateway refused the question; the message repeats the gateway's.
        CloudUnavailable: nothing answers, or what answers is not a gateway, or the gateway cannot answer now.
        CloudTimeout: the gateway did not answer in time.
    """
    address = gateway_address(url)
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigError("the key (--key or FOGGATE_CALLER_KEY) contains a character that no key has; was it copied completely?")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    direct = is_loopback(address)
    try:
        # The environment always names certificates, which take 50 ms to read; its proxies are used for remote gateways only.
        verify = httpx2.create_ssl_context() if address.startswith("https") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with httpx2.Client(timeout=timeout_s, trust_env=not direct, verify=verify) as client:
            response = client.post(address + _ANSWER, json=body, headers=headers)
    except httpx2.TimeoutException:
        raise CloudTimeout(f"nothing answers at {address} within {timeout_s:g} seconds") from None
    except ImportError:
        raise ConfigError("the environment names a SOCKS proxy, which needs another package: pip install socksio") from None
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError, ValueError):
        raise ConfigError(f"--url or a proxy in the environment is not a URL; --url should look like {_EXAMPLE}") from None
    except (httpx2.HTTPError, OSError) as error:
        raise CloudUnavailable(_why(address, error)) from None
    return _read(address, response)


def _read(address: str, response: httpx2.Response) -> dict[str, Any]:
    """Return the body of a 200; any other status is an error that repeats the gateway's message."""
    status = response.status_code
    if response.is_redirect:
        there = response.headers.get("location", "elsewhere")[:_MAX_SAID_CHARS].removesuffix(_ANSWER)
        raise CloudUnavailable(f"what answers at {address} redirects to {there}; give that address with --url if it is the gateway's")
    try:
        reply: dict[str, Any] = response.json()
        said = None if status == httpx2.codes.OK else str(reply["error"]["message"])[:_MAX_SAID_CHARS]
    except (ValueError, RecursionError, KeyError, TypeError):
        what = response.headers.get("content-type", "").partition(";")[0][:100] or "no content type"
        hint = ""
        if address.startswith("http://") and status == httpx2.codes.BAD_REQUEST:
            hint = f"; perhaps it speaks https: try {address.replace('http', 'https', 1)}"
        elif status == httpx2.codes.NOT_FOUND and urlsplit(address).path:
            hint = "; perhaps without the path"
        raise CloudUnavailable(f"no gateway answers at {address}: the server there replies {status} with {what}{hint}") from None
    if said is None:
        return reply
    sentence = f"the gateway says {status}: {said}{_HINTS.get(status, '')}"
    is_busy = status == httpx2.codes.TOO_MANY_REQUESTS or status >= httpx2.codes.INTERNAL_SERVER_ERROR
    failure: FogGateError = CloudUnavailable(sentence) if is_busy else InvalidQuestion(sentence)
    raise failure


def _why(address: str, error: Exception) -> str:
    """Return a sentence about a failed connection."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < 10:  # noqa: PLR2004  # a chain of causes may be circular
        causes.append(cause)  # type: ignore[arg-type]
    text = " ".join(str(cause) for cause in causes).lower()
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        why = "its certificate is not trusted; set SSL_CERT_FILE to the certificate of its authority"
    elif "wrong_version_number" in text or "record layer failure" in text or "unexpected_message" in text:
        why = f"it does not speak https; try {address.replace('https', 'http', 1)}"
    elif "refused" in text:
        why = "the connection is refused; is the gateway running, and is this its port? foggate serve prints the address when it is ready"
    elif "not known" in text or "resolution" in text or "no address" in text or "nodename" in text:
        why = "there is no host with that name"
    elif "unreachable" in text or "no route" in text:
        why = "the network has no route to that host"
    elif isinstance(error, httpx2.ProxyError):
        why = "the proxy in the environment refuses; set NO_PROXY to hosts that are reached directly"
    elif isinstance(error, httpx2.ProtocolError | httpx2.ReadError):
        why = "the server there does not speak http" + (
            f"; try {address.replace('http', 'https', 1)}" if address.startswith("http://") else ""
        )
    else:
        why = type(error).__name__
    return f"no gateway answers at {address}: {why}"
