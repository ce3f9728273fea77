"""Environment variables: which of those that begin with FOGGATE_ are meant for the gateway, and which are empty.

Docker Compose passes `${NAME:-}` on as an empty variable, so an empty or blank variable means "not set". Kubernetes and docker
links make variables for every service whose name begins with `foggate`; those belong to nobody here.
"""

import re
from collections.abc import Mapping, MutableMapping

PREFIX = "FOGGATE_"
# Of `foggate ask --url` and of `--config`; they are no settings of the gateway.
CALLER_KEY = PREFIX + "CALLER_KEY"
CONFIG_FILE = PREFIX + "CONFIG"

# `docker run --env-file` keeps quotes as part of the value.
_QUOTED_NOTHING = ('""', "''")
# What libraries beneath the gateway read. Some of them take an empty variable for a value: an empty folder name, an empty
# address, a number that cannot be read. CUDA_VISIBLE_DEVICES is not among them, because empty means "no device" there.
_OF_LIBRARIES = re.compile(
    r"(?:OMP|GOMP|KMP|MKL|HF|HUGGINGFACE|TRANSFORMERS|OTEL|REDIS|XDG)_\w+|TOKENIZERS_PARALLELISM"
    r"|SSL_CERT_(?:FILE|DIR)|(?:REQUESTS|CURL)_CA_BUNDLE|(?:HTTP|HTTPS|ALL|NO)_PROXY",
    re.IGNORECASE,
)

# What the kubelet makes for a service (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables)
# and a docker link for its target. A name that people could mean for a setting counts only with a value that they would not write.
_SERVICE = re.compile(r"_SERVICE_(?:HOST|PORT|PORT_[A-Z0-9_]+)$")
_PORT = re.compile(r"_PORT(?:_\d+)?(?:_(?:TCP|UDP|SCTP))?(?:_(?:START|END))?$")
_PORT_PART = re.compile(r"_PORT_\d+_(?:TCP|UDP|SCTP)_(?:ADDR|PORT|PROTO)(?:_(?:START|END))?$|_PORT_(?:TCP|UDP|SCTP)_(?:ADDR|PORT|PROTO)$")
_LINK_ENVIRONMENT = re.compile(r"_ENV_[A-Z]")
_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://", re.IGNORECASE)


def is_blank(value: str) -> bool:
    """Whether a value says nothing: empty, blanks only, or a pair of quotes with nothing between them."""
    return value.strip() in {"", *_QUOTED_NOTHING}


def is_of_orchestrator(name: str, value: str) -> bool:
    """Whether Kubernetes or a docker link made this variable, for a service whose name begins with `foggate`.

    Args:
        name: of the variable, in any case.
        value: of the variable.
    """
    # The prefix keeps one underscore, with which every pattern begins.
    rest = name.upper().removeprefix(PREFIX.rstrip("_"))
    if _SERVICE.search(rest) or _PORT_PART.search(rest) or _LINK_ENVIRONMENT.search(rest):
        return True
    if _PORT.search(rest):
        return bool(_ADDRESS.match(value.strip()))
    return rest.endswith("_NAME") and value.startswith("/")


def drop_blank(environment: MutableMapping[str, str]) -> None:
    """Take blank variables of the gateway and of the libraries beneath it out of an environment."""
    for name, value in list(environment.items()):
        if is_blank(value) and (name.upper().startswith(PREFIX) or _OF_LIBRARIES.fullmatch(name)):
            del environment[name]


def given(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with the gateway's prefix that say something, without blanks around their values."""
    return {name: value.strip() for name, value in environment.items() if name.upper().startswith(PREFIX) and not is_blank(value)}
