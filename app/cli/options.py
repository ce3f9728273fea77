"""Options and checks that several commands share, and what every group of commands has."""

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from app.config.environment import CONFIG_FILE
from app.core.errors import ConfigError

if TYPE_CHECKING:
    from app.config.settings import Settings

# Click hands this on to every group and every command: `-h` works everywhere.
CONTEXT = {"help_option_names": ["-h", "--help"]}
# What typer says about a value that is none of the choices.
_NO_CHOICE = re.compile(r"'(?P<value>.*)' is not one of (?P<choices>'.*')\.")


class Commands(TyperGroup):
    """The commands of `foggate`. Who types the name of a group's command alone, as `report`, is told `foggate eval report`."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises what typer raises; a value that is none of the choices gets the closest one in its message."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            if found := _NO_CHOICE.fullmatch(error.message):
                close = difflib.get_close_matches(found["value"], re.findall(r"'([^']*)'", found["choices"]), 1)
                error.message += f" Did you mean {close[0]!r}?" if close else ""
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments name.

        Raises:
            TyperException: there is no such command; the message names the command of a group that has this name.
        """
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            whole = [f"{name} {args[0]}" for name, group in self.commands.items() if args[0] in getattr(group, "commands", {})]
            if whole:
                error.message = f"No such command '{args[0]}'. Did you mean '{ctx.command_path} {whole[0]}'?"
            raise


def require_cloud(settings: "Settings", otherwise: str = "") -> None:
    """Check that a cloud is configured.

    Args:
        settings: settings of the command.
        otherwise: how the command works without a cloud, as in "give --cloud none".

    Raises:
        ConfigError: no cloud is configured.
    """
    if settings.cloud.base_url is None:
        raise ConfigError(f"no cloud is configured: set cloud.base_url (FOGGATE_CLOUD__BASE_URL){f', or {otherwise}' if otherwise else ''}")


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar=CONFIG_FILE,
        metavar="FILE",
        help="YAML file with settings. Without it, the defaults and the variables FOGGATE_… of the environment apply.",
    ),
]
Host = Annotated[str | None, typer.Option(metavar="HOST", help="Address or host name of the gateway; overrides server.host.")]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, metavar="PORT", help="Port of the gateway; overrides server.port. When serving, 0 takes a free port."),
]
Insecure = Annotated[
    bool,
    typer.Option("--insecure", help="Listen without API keys on an address that other machines can reach: everybody has every permission."),
]
Records = Annotated[Path, typer.Option(metavar="FILE", help="Records file that `foggate eval collect` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on one line instead of text for people.")]

# How answers are collected.
CloudRecords = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Records file whose cloud answers are used instead of asking a cloud.")
]
CloudConcurrency = Annotated[int, typer.Option(min=1, metavar="N", help="Largest number of simultaneous cloud calls.")]
DrawnPerDomain = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Number of questions of each domain, drawn at random.", show_default="all")
]

# For which target tau is chosen.
TargetCloudRate = Annotated[
    float | None, typer.Option(min=0, max=1, metavar="X", help="Target: this share of the questions goes to the cloud.")
]
TargetAccuracy = Annotated[
    float | None,
    typer.Option(min=0, max=1, metavar="X", help="Target: the system reaches this accuracy at the lowest possible cloud rate."),
]
MaxEdgeError = Annotated[
    float | None,
    typer.Option(min=0, max=1, metavar="X", help="Target: the error rate of the answers that stay at the edge is at most this."),
]
Delta = Annotated[float, typer.Option(min=0.0001, max=0.5, metavar="X", help="Probability that the bound of --max-edge-error fails.")]
MinDomain = Annotated[
    int, typer.Option(min=1, metavar="N", help="Domains with fewer questions than this in the half for fitting share one threshold.")
]
LetterPriorOption = Annotated[
    Literal["auto", "on", "off"],
    typer.Option(
        "--letter-prior",
        help="Divide the model's preference for letters out of its distributions: auto where there is a preference and held-out questions show that "
        "dividing it out helps and harms nothing (docs/evaluation.md), on in any case, off never.",
    ),
]
# Help of options that have another name or another default in each command.
EACH_DOMAIN = "Choose a separate threshold for each domain that is large enough."
SIGNAL = (
    "Number that tau is compared with. The fitted probability is taken only where it is better than the best single signal, which is "
    "taken otherwise."
)
