"""Every way in which FogGate says no.

    FogGateError
    ├─ ConfigError                       start-up: one sentence, exit code 2
    ├─ InvalidQuestion                   422
    ├─ PayloadTooLarge                   413
    ├─ Unauthorized 401 · Forbidden 403 · RateLimited 429
    ├─ Overloaded                        429, Retry-After
    ├─ Draining                          503, Retry-After
    ├─ NotReady                          503, Retry-After
    ├─ DeadlineExceeded                  504
    ├─ EdgeError                         → cloud (reason edge_failed); 503 if there is no cloud
    └─ CloudError                        → fallback, or 502/504
       ├─ CloudTimeout · CloudUnavailable · CloudRejected · CloudMisconfigured · CloudUnparsable
       ├─ CircuitOpen · BudgetExhausted

Messages are written for the caller: no secret, no question text, no path of the machine.
"""

import re
from collections.abc import Sequence

# A minute is the longest window of a rate. An estimate of more is not worth much: whoever comes back then is told again.
MAX_RETRY_AFTER_S = 60.0


class FogGateError(Exception):
    """Root of the tree.

    Attributes:
        param: the field of the request that is wrong, if one is.
        retry_after_s: seconds after which a new attempt makes sense, if known; at most `MAX_RETRY_AFTER_S`.
    """

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = None if retry_after_s is None else min(retry_after_s, MAX_RETRY_AFTER_S)


class ConfigError(FogGateError):
    """The configuration, the model or the adapter cannot work; said at start-up."""


class InvalidQuestion(FogGateError):
    """Something inside a well-formed body is wrong."""


class PayloadTooLarge(FogGateError):
    """The body is over the configured size."""


class Unauthorized(FogGateError):
    """No key, or a wrong one."""


class Forbidden(FogGateError):
    """The key lacks the permission."""


class RateLimited(FogGateError):
    """The caller is over its rate."""


class Overloaded(FogGateError):
    """The edge queue is full."""


class Draining(FogGateError):
    """The gateway is shutting down and takes no new work."""


class NotReady(FogGateError):
    """The model is still being loaded."""


class DeadlineExceeded(FogGateError):
    """The request's one deadline passed before there was any answer."""


class EdgeError(FogGateError):
    """The edge model failed on this question.

    Attributes:
        verdicts: set by an engine that failed on some questions of a batch only: one entry per question, in order, the
            verdict or None. Empty where the failure is that of the whole batch.
    """

    def __init__(
        self, message: str, *, param: str | None = None, retry_after_s: float | None = None, verdicts: Sequence[object] = ()
    ) -> None:
        super().__init__(message, param=param, retry_after_s=retry_after_s)
        self.verdicts = verdicts


class CloudError(FogGateError):
    """The cloud gave no usable answer."""


class CloudTimeout(CloudError):
    """No reply in time."""


class CloudUnavailable(CloudError):
    """Unreachable, overloaded or failing after all attempts."""


class CloudRejected(CloudError):
    """The cloud refused the request itself (a 4xx other than 429)."""


class CloudMisconfigured(CloudError):
    """Our own fault: a key that is refused, a certificate that is not accepted, an address or a header that cannot be used."""


class CloudUnparsable(CloudError):
    """A reply in which no offered letter can be read without guessing."""


class CircuitOpen(CloudError):
    """The endpoint failed too often lately and is not being asked."""


class BudgetExhausted(CloudError):
    """The configured cloud budget is spent."""


def first_line(error: Exception) -> str:
    """The beginning of any error's text, or what it is called."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def type_name(error: FogGateError) -> str:
    """`CloudTimeout` → `cloud_timeout`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
