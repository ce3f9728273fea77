"""Failures while records are collected: counted by kind and status; they decide when a run stops.

A refused key or an unknown model stays refused however often the cloud is asked; a busy cloud recovers. So a run stops after a
few failures of the first kind in a row, and counts the others.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import CloudError, CloudRejected, CloudUnavailable, CloudUnparsable, FogGateError

UNUSABLE = "cloud_unusable"

_STATUS = re.compile(r"status (\d{3})\b")
# Messages about a reply that is not a chat completion. Any other CloudUnparsable is an answer in which no letter could be read.
_NO_COMPLETION = ("not valid HTTP", "not JSON", "is over ", "holds no answer", "not a chat completion", "could not be read")
# Statuses that repeating does not change: key, payment, permission, address, method, proxy.
_FINAL = frozenset({401, 402, 403, 404, 405, 407, 410, 421})
_BUSY = ("429", "5xx", "in flight")
# Failures in a row that end a run: those that repeating does not change; those that rarely pass (no server, malformed requests or
# replies); and failures of any kind.
_CANNOT_PASS, _HARDLY_PASSES, _NO_ANSWER_AT_ALL = 5, 20, 200


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of failure.

    Attributes:
        kind: as in the records: the type of the error, or `cloud_unusable` for a reply that is no chat completion.
        message: the error's message; holds no question, no key and no text of the cloud.
    """

    kind: str
    message: str

    @property
    def status(self) -> int | None:
        """The HTTP status, where the message names one."""
        found = _STATUS.search(self.message)
        return int(found[1]) if found else None


def failure_of(error: FogGateError) -> Failure:
    """The kind of an error."""
    unusable = isinstance(error, CloudUnparsable) and any(part in error.message for part in _NO_COMPLETION)
    return Failure(UNUSABLE if unusable else error.code, error.message)


@dataclass(slots=True)
class Failures:
    """The failures of one run.

    Attributes:
        counts: number of failures of each kind.
        stopped: sentence that says why the cloud is no longer asked; None while it is asked.
    """

    counts: Counter[Failure] = field(default_factory=Counter)
    stopped: str | None = None
    _in_a_row: Counter[int] = field(default_factory=Counter)

    def answered(self) -> None:
        """The cloud has answered: earlier failures were not permanent."""
        self._in_a_row.clear()

    def failed(self, error: FogGateError) -> Failure:
        """Count it; returns its kind."""
        failure = failure_of(error)
        self.counts[failure] += 1
        if not isinstance(error, CloudError):
            return failure
        if failure.kind == CloudUnparsable.code:
            self.answered()
            return failure
        bound = _bound_of(error, failure)
        self._in_a_row.update({bound, _NO_ANSWER_AT_ALL})
        for limit, count in self._in_a_row.items():
            if count >= limit and self.stopped is None:
                self.stopped = (
                    f"the cloud failed {count} times in a row without an answer in between, the last time with: {failure.message}"
                    + _hint(failure)
                )
        return failure

    def listed(self) -> list[dict[str, Any]]:
        """Kind, status (None where there is none), message and number, the most frequent first."""
        return [
            {"kind": failure.kind, "status": failure.status, "message": failure.message, "n": count}
            for failure, count in self.counts.most_common()
        ]


def _bound_of(error: CloudError, failure: Failure) -> int:
    status = failure.status
    refused = isinstance(error, CloudRejected)
    if failure.kind == "cloud_misconfigured" or "cannot be resolved" in failure.message:
        return _CANNOT_PASS
    if refused and status is not None and (status in _FINAL or status // 100 == 3):  # noqa: PLR2004  # a redirect is not followed
        return _CANNOT_PASS
    unreachable = isinstance(error, CloudUnavailable) and not any(word in failure.message for word in _BUSY)
    return _HARDLY_PASSES if refused or unreachable or failure.kind == UNUSABLE else _NO_ANSWER_AT_ALL


def _hint(failure: Failure) -> str:
    if failure.status in {401, 403}:
        return "; look at cloud.api_key (FOGGATE_CLOUD__API_KEY)"
    if failure.status is not None and failure.kind == "cloud_rejected":
        return "; look at cloud.base_url and cloud.model"
    return "; look at cloud.base_url" if failure.kind != "cloud_timeout" else ""
