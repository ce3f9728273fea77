"""The first step of the process: nothing is imported from the current folder, and signals are handled.

Until the import path is right, this file imports only what the interpreter has already imported.
"""

import os
import sys


def begin() -> None:
    """Forbid imports from the current folder, and handle signals from now on."""
    forget_current_folder()
    from app.core import interrupts  # only now, so that it does not come from the current folder

    interrupts.install()


def forget_current_folder() -> None:
    """Take the current folder off the import path, unless this very package lies in it.

    A folder of data may hold a file `json.py`. `python -m app` puts the current folder first, and an empty entry of PYTHONPATH
    (as in `PYTHONPATH=$UNSET:/elsewhere`) stands for it too. A PYTHONPATH that names the folder is respected.
    """
    try:
        here = os.path.realpath(os.getcwd())  # noqa: PTH109  # pathlib is not imported yet
    except FileNotFoundError:  # the folder was deleted
        return
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))  # noqa: PTH120
    named = {os.path.realpath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    if here != ours and here not in named:
        sys.path[:] = [entry for entry in sys.path if entry and os.path.realpath(entry) != here]
