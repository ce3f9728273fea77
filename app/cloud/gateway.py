"""A client of a running gateway, for `foggate ask --url`."""

from typing import Any

import httpx2

from app.errors import CloudUnavailable, FogGateError, InvalidQuestion


def ask_gateway(url: str, body: dict[str, Any], *, key: str | None = None, timeout_s: float = 60.0) -> dict[str, Any]:
    """POST one question to `URL/v1/answer`.

    Raises:
        InvalidQuestion: the gateway refused it, with the gateway's own words.
        CloudUnavailable: nothing there, or something that is no gateway.
    """
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        response = httpx2.post(url.rstrip("/") + "/v1/answer", json=body, timeout=timeout_s, headers=headers)
        reply: dict[str, Any] = response.json()
        said = None if response.status_code == httpx2.codes.OK else reply["error"]["message"]
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError, KeyError, TypeError) as error:
        raise CloudUnavailable(f"no gateway answers at {url} ({type(error).__name__})") from None
    if said is not None:
        failure: FogGateError = InvalidQuestion(f"the gateway says {response.status_code}: {said}")
        raise failure
    return reply
