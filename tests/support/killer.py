"""`python -m tests.support.killer CONFIG OUT KILLS SEED`: run a chain in forked children and kill them at moments drawn by seed.

Forked, because importing torch takes longer than a tiny chain. A moment is a number of changes in the run's folder, so that
it does not depend on how fast the machine is; the last child is left to finish.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from app.cli.teacher import connect_teacher
from app.config.loading import load_settings
from app.training.chain import open_chain
from app.training.config import load_config
from app.training.evolve import run_rounds


def run(config, out):
    teacher = connect_teacher(load_settings())
    run_rounds(open_chain(load_config(config), out, resume=True, cache_dir=out, teacher=teacher))


def size(out):
    """Grows with every line and every file of a run."""
    return sum(path.stat().st_size + 1 for path in out.rglob("*") if path.is_file())


def main():
    config, out, kills, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    draw = random.Random(seed)
    done = 0
    while True:
        child = os.fork()
        if child == 0:
            run(config, out)
            os._exit(0)
        if done == kills:
            _, status = os.waitpid(child, 0)
            break
        # After a few changes of the folder and a moment more.
        changes, before = draw.randrange(1, 6), -1
        status = None
        while changes and status is None:
            ended, code = os.waitpid(child, os.WNOHANG)
            status = code if ended else None
            if (now := size_or_none(out)) != before:
                before = now
                changes -= 1
            # Looking at a folder takes about a millisecond, of the processor that the chain computes on.
            time.sleep(0.01)
        time.sleep(draw.random() * 0.05)
        if status is None:
            os.kill(child, signal.SIGKILL)
            _, code = os.waitpid(child, 0)
            done += os.WIFSIGNALED(code)
        else:
            break
    print(json.dumps({"kills": done}))
    sys.exit(os.waitstatus_to_exitcode(status))


def size_or_none(out):
    try:
        return size(out)
    except FileNotFoundError:  # renamed in this moment
        return None


if __name__ == "__main__":
    main()
