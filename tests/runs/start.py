"""`python -m tests.runs.start`: phases of loading the builtin model, then a whole gateway until it is ready, and after questions of 16 clients:
CPU seconds and memory of each, in units of 10^6 bytes.

Run it twice: the first run may prepare weights and make the proofs. `FOGGATE_EDGE__DTYPE` and the other settings apply.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_POLL_S = 0.25
_FIELDS = ("Rss:", "Pss:", "Private_Clean:", "Private_Dirty:")


def memory(process="self"):
    """Megabytes, by the names of Linux; `VmHWM` is the most that was resident."""
    lines = (Path(f"/proc/{process}/{name}").read_text().splitlines() for name in ("smaps_rollup", "status"))
    fields = [line.split() for file in lines for line in file]
    return {
        name[:-1]: int(value) * 1024 // 1_000_000 for name, value, *_ in (f for f in fields if len(f) > 1 and f[0] in {*_FIELDS, "VmHWM:"})
    }


def phases():
    """Load as `foggate serve` does, and print a line behind each phase."""
    from app.config.loading import load_settings
    from app.edge.threads import set_threads, set_wait_policy

    settings, last = load_settings(None), time.process_time()

    def say(phase):
        nonlocal last
        now = time.process_time()
        print(f"{phase:24} {now - last:6.2f} s CPU, {now:6.2f} s together  {memory()}", flush=True)
        last = now

    set_wait_policy(settings.edge.wait_policy)
    say("settings")
    import torch  # noqa: F401

    say("torch")
    from app.edge.lean import import_modelling

    import_modelling()
    set_threads(settings.edge.threads)
    say("what defines models")
    from app.core.question import Question
    from app.edge.build import build_engine, load_edge_model

    loaded = load_edge_model(settings, prepared=True)
    say("weights and tokenizer")
    engine = build_engine(settings, loaded, long_labels=True)
    say("engine and proofs")
    engine.verdicts([engine.prepare(Question("Which gas do plants take in?", ("Oxygen", "Carbon dioxide")))])
    say("first question")


def gateway(port=9347):
    """Start a gateway and print what it took until it was alive, and until it was ready."""
    began = time.monotonic()
    environment = {**os.environ, "FOGGATE_SERVER__PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "app", "serve"], env=environment, stdout=subprocess.DEVNULL)
    try:
        for path in ("/health/live", "/health/ready"):
            while not _answers(f"http://127.0.0.1:{port}{path}"):
                if process.poll() is not None:
                    sys.exit("the gateway has ended")
                time.sleep(_POLL_S)
            print(
                f"{path:24} after {time.monotonic() - began:.2f} s, {_cpu_s(process.pid):.2f} s of CPU  {memory(process.pid)}", flush=True
            )
        from app.bench.edge.questions import bank  # after the phases, which count imports

        questions = bank()[:48] * 2
        with ThreadPoolExecutor(16) as clients:
            began = time.monotonic()
            failed = sum(not done for done in clients.map(lambda question: _asked(port, question), questions))
        rate = len(questions) / (time.monotonic() - began)
        print(f"{len(questions)} questions, {failed} failed: {rate:.2f} a second  {memory(process.pid)}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _asked(port, question):
    body = json.dumps({"question": question.question, "options": question.options}).encode()
    return _answers(urllib.request.Request(f"http://127.0.0.1:{port}/v1/answer", body, {"content-type": "application/json"}), timeout=60)


def _answers(asked, timeout=5):
    try:
        urllib.request.urlopen(asked, timeout=timeout).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def _cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    phases()
    gateway()
