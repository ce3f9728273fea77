"""`foggate health`: asks the gateway on this machine whether it is ready. Made for health checks: it uses no proxy and imports little."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import ConfigFile, Host, Port
from app.cli.output import stdout_console
from app.core.errors import ConfigError, NotReady

_TIMEOUT_S = 2.0
_MAX_BODY_BYTES = 1_000
_OPTIONS = ("config", "host", "port")


def health(
    config: ConfigFile = None,
    host: Host = None,
    port: Port = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask whether it is alive instead, which it is even while the model is loading.")
    ] = False,
    pid: Annotated[
        int | None,
        typer.Option(
            metavar="ID", help="Take --config, --host and --port from the command line of the process with this id (1 in a container)."
        ),
    ] = None,
) -> None:
    """Ask the gateway whether it is ready. The exit code is 1 if it is not. Made for health checks on the same machine: it needs no key."""
    from app.cli.given import Given

    found = options_of(pid) if pid is not None else {}
    given = Given(
        config=Path(found["config"]) if "config" in found else config,
        host=found.get("host", host),
        port=int(found["port"]) if found.get("port", "").isdecimal() else port,
    )
    server = given.read().server
    stdout_console().print(probe_gateway(server.host, server.port, path="/health/live" if live else "/health/ready"))


def probe_gateway(host: str, port: int, *, path: str) -> str:
    """Return the status that the gateway reports: `ready` or `alive`.

    Args:
        host: the setting `server.host`; where it stands for every address, loopback is asked.
        port: the setting `server.port`.
        path: path of the health endpoint.

    Raises:
        ConfigError: the port is 0, so the real one is unknown.
        NotReady: the gateway cannot be reached, or its status is not 200.
    """
    import http.client

    from app.api.listener import reachable_at, url

    if port == 0:
        raise ConfigError("port 0 stands for any free port, so the port of the gateway is not known; give it with --port")
    failures = []
    for address in reachable_at(host):
        connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            status, said = response.status, _status(response.read(_MAX_BODY_BYTES))
        except (OSError, http.client.HTTPException) as error:
            failures.append(
                f"nothing answers at {url(address, port)} ({getattr(error, 'strerror', None) or error or type(error).__name__})"
            )
            continue
        finally:
            connection.close()
        if status == http.client.OK and said is not None:
            return said
        if said is None:
            raise NotReady(f"what answers at {url(address, port)} is not a FogGate gateway (status {status})")
        raise NotReady(f"the gateway at {url(address, port)} is {said} (status {status})")
    raise NotReady("; ".join(failures))


def options_of(pid: int) -> dict[str, str]:
    """Return the options --config, --host and --port with which `foggate serve` was started as this process, if they were given.

    Raises:
        ConfigError: there is no such process, or this system does not show its command line.
    """
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").removesuffix("\0").split("\0")
    except OSError:
        raise ConfigError(f"the command line of process {pid} cannot be read; give --config, --host and --port instead of --pid") from None
    # As in `sh -c "foggate serve --port 9000"`.
    arguments = [word for argument in arguments for word in (_words(argument) if " --" in argument else [argument])]
    given: dict[str, str] = {}
    for number, argument in enumerate(arguments):
        for name in _OPTIONS:
            if argument == f"--{name}" and number + 1 < len(arguments):
                given[name] = arguments[number + 1]
            elif argument.startswith(f"--{name}="):
                given[name] = argument.partition("=")[2]
    return given


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _status(body: bytes) -> str | None:
    try:
        said = json.loads(body)["status"]
    except (ValueError, KeyError, TypeError):
        return None
    return said if isinstance(said, str) and said.isalpha() else None
