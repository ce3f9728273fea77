"""What an exception or a status of an attempt means: whose fault it is, whether it counts against the endpoint, and who is asked next.

Messages of errors never hold the key, the question or the endpoint's own text.

This is the one place that maps what happens on the wire to a `CloudError`: a status that needs an error of its own is one more line
here, beside the class in `app/core/errors.py` and its status in `app/api/errors.py`.
"""

import errno
import socket
import ssl
from dataclasses import dataclass

import httpx2

from app.core.errors import CloudError, CloudMisconfigured, CloudRejected, CloudUnavailable, CloudUnparsable

_MAX_CAUSES = 32
# Of the HTTP library, where a connection ended too early; anything else that breaks the protocol was written on it.
_CUT = ("disconnected", "closed connection", "connectionterminated")
# The endpoint has looked at the request, and does not take it as it is.
REFUSES_THE_REQUEST = (httpx2.codes.BAD_REQUEST, httpx2.codes.UNPROCESSABLE_CONTENT)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt.

    Attributes:
        error: what the caller gets if no other attempt succeeds.
        outcome: label of the attempt in the metrics.
        healthy: what the breaker is told: the endpoint answered, failed, or (None) nothing, because the fault is ours.
        same_endpoint_retryable: whether the same endpoint may be asked again; otherwise only another one.
        detail: for the log only; it may name hosts.
    """

    error: CloudError
    outcome: str
    healthy: bool | None
    same_endpoint_retryable: bool = False
    detail: str = ""


def failure_of(error: httpx2.HTTPError | httpx2.InvalidURL | httpx2.StreamError) -> Failure:
    """What the HTTP library's exception means."""
    if (ours := _fault_of_ours(error)) is not None:
        return ours
    if isinstance(error, httpx2.TransportError):
        # Refused, reset, cut in the middle, a stale pooled connection: asking again is safe, an answer has no effects.
        proxy = isinstance(error, httpx2.ProxyError)
        reason = "the proxy does not let it through" if proxy else _why_unreachable(error)
        return Failure(CloudUnavailable(f"the cloud did not answer ({reason})"), "proxy" if proxy else "connection", False, True)
    return Failure(CloudUnparsable("the cloud's reply is not valid HTTP"), "protocol", False)


def failure_of_status(status: int) -> Failure:
    """What a status other than 200 means."""
    if status == httpx2.codes.UNAUTHORIZED:
        return Failure(CloudMisconfigured("the cloud refuses the key (status 401)"), "401", None)
    if status == httpx2.codes.FORBIDDEN:
        return Failure(CloudRejected("the cloud refused the request with status 403"), "4xx", None)
    outcome = "429" if status == httpx2.codes.TOO_MANY_REQUESTS else f"{status // 100}xx"
    if outcome == "429" or status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return Failure(CloudUnavailable(f"the cloud did not answer ({outcome})"), outcome, outcome == "429", True)
    if status < httpx2.codes.BAD_REQUEST:
        # No question leads to one of these: the address is wrong, or something stands in front of the endpoint.
        is_redirect = status >= httpx2.codes.MULTIPLE_CHOICES
        did = f"redirects (status {status}), which is not followed" if is_redirect else f"answered with status {status} in place of 200"
        return Failure(CloudRejected(f"the cloud {did}"), outcome, False)
    return Failure(CloudRejected(f"the cloud refused the request with status {status}"), outcome, True)


def _fault_of_ours(error: Exception) -> Failure | None:
    """A certificate that is not trusted, an address or a header that cannot be used: no attempt will do better."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            refusal = CloudMisconfigured("the certificate of the cloud is not accepted")
            return Failure(refusal, "certificate", None, detail=cause.verify_message or "")
        if isinstance(cause, ssl.SSLError) and cause.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL"}:
            return Failure(CloudMisconfigured("the cloud's address is https, and nothing there speaks TLS"), "certificate", None)
    if isinstance(error, (httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
        return Failure(CloudMisconfigured("the cloud's address cannot be used"), "misconfigured", None)
    if isinstance(error, httpx2.LocalProtocolError):
        return Failure(CloudMisconfigured("the request to the cloud is not valid HTTP: look at its headers"), "misconfigured", None)
    return None


def _why_unreachable(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "its host name cannot be resolved"
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return "the connection is refused"
    if isinstance(error, httpx2.RemoteProtocolError) and not any(said in str(error).lower() for said in _CUT):
        return "what is there does not speak HTTP as it should"
    return "connection"


def _causes(error: BaseException) -> list[BaseException]:
    """The exception and what it came from, innermost last; bounded, because chains may be circular."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo and len(found) < _MAX_CAUSES:
        one = todo.pop(0)
        if one is None or one in found:
            continue
        found.append(one)
        todo += [one.__cause__, one.__context__, *(one.exceptions if isinstance(one, BaseExceptionGroup) else ())]
    return found
