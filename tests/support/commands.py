"""Our commands in this process: importing what a command needs takes a process of its own seconds."""

import contextlib
import io
import os
import subprocess
from unittest import mock

from app.cli.commands import main


def foggate_here(*args, **environment):
    """Run a command to its end, as `tests.support.processes.foggate` does; what a process of its own is needed for is not seen here."""
    out, err, code = io.StringIO(), io.StringIO(), None
    with mock.patch.dict(os.environ, environment), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(arg) for arg in args])
        except SystemExit as ended:
            code = ended.code
    return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())
