"""The first thing that the process does: no import from the current folder, and signals are taken.

Imports nothing but what the interpreter has imported itself, until the import path is right.
"""

import os
import sys


def begin() -> None:
    """Import nothing from the current folder, and take signals from now on."""
    forget_current_folder()
    from app.core import interrupts  # not from the current folder

    interrupts.install()


def forget_current_folder() -> None:
    """Take the current folder off the import path, unless this very package lies in it.

    `python -m app` puts it first, and an empty entry of PYTHONPATH (as in `PYTHONPATH=$UNSET:/elsewhere`) means it too: a folder
    of data may hold a `json.py`. A PYTHONPATH that names the folder is meant.
    """
    try:
        here = os.path.realpath(os.getcwd())  # noqa: PTH109  # pathlib is not imported yet
    except FileNotFoundError:  # the folder was deleted
        return
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))  # noqa: PTH120
    named = {os.path.realpath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    if here != ours and here not in named:
        sys.path[:] = [entry for entry in sys.path if entry and os.path.realpath(entry) != here]
