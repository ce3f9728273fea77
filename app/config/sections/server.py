"""The listener: where it is, when its health checks fail, and who may use it."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from app.config.host_names import host_name
from app.config.networks import checked_network
from app.config.origins import checked_origin
from app.config.sections.base import Positive, Seconds, Section, setting

Origin = Annotated[str, AfterValidator(checked_origin)]
Network = Annotated[str, AfterValidator(checked_network)]


class ServerSettings(Section):
    host: Annotated[str, AfterValidator(host_name)] = setting(
        "127.0.0.1",
        "Address or host name to listen on; an IPv6 address may have brackets. `::` means every address of both families, `localhost` "
        'both loopback addresses (docs/operators.md, "Where the gateway listens").',
    )
    port: Annotated[int, Field(ge=0, le=65535)] = setting(8080, "TCP port to listen on; 0 takes a free port.")
    drain_wait_s: Annotated[float, Field(ge=0)] = setting(
        2.0,
        "Seconds after SIGTERM for which new requests are still accepted, with `Connection: close`, while load balancers stop sending them.",
        reload=True,
    )
    ready_stall_s: Seconds = setting(
        15.0,
        "`/health/ready` is 503 when questions wait and no batch was finished for this many seconds. A busy engine finishes batches, so "
        "load alone does not make it 503.",
    )
    live_stall_s: Seconds = setting(
        60.0, "`/health/live` is 503 when the current batch is older than this many seconds, or when the worker has ended."
    )
    ready_failed_batches: Positive = setting(
        3,
        "`/health/ready` is 503 when this many batches in a row have failed, the last of them the gateway's own warm-up question "
        '(docs/reliability.md, "An edge model that fails").',
    )
    live_failed_batches: Positive = setting(
        10, "`/health/live` is 503 when this many batches in a row have failed, the gateway's own warm-up question among them."
    )
    failing_probe_s: Seconds = setting(
        2.0,
        "While the edge model is failing, the gateway asks it the warm-up question every so many seconds; one answer makes the gateway "
        "ready again.",
    )
    cors_origins: list[Origin] = setting(
        [],
        "Origins of web pages whose scripts may send questions and read replies, in the form that a browser sends. "
        '`"*"` allows every page and needs `security.keys` (docs/operators.md, "Cross-origin requests from browsers").',
        example=["https://app.example.org", "http://localhost:3000"],
    )


class SecuritySettings(Section):
    keys: Path | None = setting(
        None,
        "File of API keys that `foggate keys create` wrote (docs/security.md). null: no keys, every caller may do everything.",
        example="/etc/foggate/keys.json",
        reload=True,
    )
    insecure: bool = setting(
        False,
        "Listen beyond loopback although no keys are configured (`serve --insecure`); when false, such a start is refused.",
        reload=True,
    )
    public_metrics: bool = setting(False, "`/metrics` needs no key; when false, it needs a key with the permission `admin`.", reload=True)
    public_docs: bool = setting(
        True,
        "`/docs` and `/openapi.json` need no key, because a browser has none when it opens a page. They hold nothing secret, and asking "
        'a question still needs the key (button "Authorize").',
        reload=True,
    )
    allowed_hosts: list[str] | None = setting(
        None,
        "Host names that requests may name; a request for another host gets 421, health probes are exempt. null: every name; where "
        "neither `security.keys` nor `security.insecure` is set, only loopback names and `server.host`.",
        example=["foggate.example.org"],
        reload=True,
    )
    trusted_proxies: list[Network] = setting(
        [],
        'Addresses or networks of proxies whose `X-Forwarded-For` header is believed; `"*"` believes every address.',
        example=["10.0.0.7", "10.1.0.0/16"],
    )
