"""`foggate health`: asks the gateway on this machine whether it is ready. For a container's health check: small and without proxies."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import ConfigFile
from app.cli.output import stdout_console
from app.core.errors import ConfigError, NotReady

_TIMEOUT_S = 2.0
_SAYS_BYTES = 1_000
_OPTIONS = ("config", "host", "port")


def health(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Overrides server.host, as for serve.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Overrides server.port, as for serve.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Ask whether it is alive, which it is while the model loads too.")] = False,
    pid: Annotated[
        int | None, typer.Option(help="Take --config, --host and --port from the command line of this process (1 in a container).")
    ] = None,
) -> None:
    """Ask the gateway on this machine whether it is ready; exit code 1 if it is not. For health checks: no proxy, no key."""
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
    """What the gateway says of itself: `ready`, or `alive`.

    Args:
        host: as `server.host`; where it means every address, loopback is asked.
        port: as `server.port`.
        path: of the probe.

    Raises:
        ConfigError: port 0 says nothing about where the gateway is.
        NotReady: it cannot be reached, or it says something else than 200.
    """
    import http.client

    from app.api.listener import reachable_at, url

    if port == 0:
        raise ConfigError("port 0 stands for a free one, so nobody can know where the gateway is; say --port")
    failures = []
    for address in reachable_at(host):
        connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            status, said = response.status, _status(response.read(_SAYS_BYTES))
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
            raise NotReady(f"what answers at {url(address, port)} is no gateway (status {status})")
        raise NotReady(f"the gateway at {url(address, port)} is {said} (status {status})")
    raise NotReady("; ".join(failures))


def options_of(pid: int) -> dict[str, str]:
    """The options --config, --host and --port of the `serve` command that runs as this process, as far as they were given.

    Raises:
        ConfigError: there is no such process, or this system does not show its command line.
    """
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").removesuffix("\0").split("\0")
    except OSError:
        raise ConfigError(f"the command line of process {pid} cannot be read; say --config, --host and --port instead of --pid") from None
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
