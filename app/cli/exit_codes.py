"""The exit codes of every command, in one place. The table in `docs/command-line.md` is generated from them."""

from app.core.errors import ConfigError, FogGateError, InvalidQuestion
from app.core.interrupts import HUNG_UP, INTERRUPTED, TERMINATED

OK = 0
FAILED = 1
USAGE = 2

MEANINGS = {
    OK: "The command did what it was asked to do. A gateway that drained after SIGTERM ends with 0 too.",
    FAILED: "The command was valid and failed: nothing answers at an address, a model fails, a disk is full.",
    USAGE: "The input is wrong: a command, an option, an argument, a setting or a file. Nothing was done.",
    HUNG_UP: "The terminal of the command was closed (SIGHUP). A gateway without a terminal reloads its configuration instead.",
    INTERRUPTED: "Ctrl-C (SIGINT) ended the command.",
    TERMINATED: "SIGTERM ended the command before it was done.",
}

# Shown below the help of `foggate` itself.
EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 129 closed terminal, 130 Ctrl-C, 143 SIGTERM (docs/command-line.md)."
)


def exit_code(error: FogGateError) -> int:
    """Return the exit code of an error: 2 for what the caller can correct, 1 for everything else."""
    return USAGE if isinstance(error, ConfigError | InvalidQuestion) else FAILED
