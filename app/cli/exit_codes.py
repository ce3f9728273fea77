"""The exit codes of every command, in one place. `docs/command-line.md` holds the same table; a test compares the two."""

from app.core.errors import ConfigError, FogGateError, InvalidQuestion
from app.core.interrupts import HUNG_UP, INTERRUPTED, TERMINATED

OK = 0
FAILED = 1
USAGE = 2

MEANINGS = {
    OK: "The command did what it was asked to do. A gateway that SIGTERM ended after it had drained ends with 0 too.",
    FAILED: "The command was understood and tried, and failed: nothing answers at an address, a model fails, a disk is full.",
    USAGE: "Something given is wrong: a command, an option, an argument, a setting or a file. Nothing was done.",
    HUNG_UP: "The terminal of the command is gone (SIGHUP). A gateway that has no terminal reloads instead.",
    INTERRUPTED: "Ctrl-C (SIGINT).",
    TERMINATED: "SIGTERM ended a command that was not done.",
}

# Shown below the help of `foggate` itself.
EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 129 hang-up, 130 Ctrl-C, 143 SIGTERM (docs/command-line.md)."


def exit_code(error: FogGateError) -> int:
    """The exit code for an error of ours: what the caller can put right is wrong usage, everything else has failed."""
    return USAGE if isinstance(error, ConfigError | InvalidQuestion) else FAILED
