"""What a process without torch takes until OpenVINO has computed a pass: `python -m tests.runs.openvino_start MODEL.xml tokenizer.json [CACHE]`

`tests.runs.openvino_pass` writes the model and what the pass is given (`inputs.npz` beside it), and runs this in a process of its own.
With a folder for the cache the first run writes the compiled model there, and the next ones load it. Prints a line of JSON.
"""

import json
import sys
import time
from pathlib import Path

from tests.runs.start import memory


def settings(threads, cache=None):
    """One stream on so many threads; cores are not pinned, because other processes use them."""
    fixed = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": "1", "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}
    return {**fixed, **({"CACHE_DIR": str(cache)} if cache else {})}


def main():
    path, tokenizer, *cache = map(Path, sys.argv[1:])
    warm = any(folder.is_dir() and any(folder.iterdir()) for folder in cache)
    last = time.process_time(), time.perf_counter()
    said = {}

    def say(phase):
        nonlocal last
        now = time.process_time(), time.perf_counter()
        said[phase] = {"cpu_s": round(now[0] - last[0], 2), "s": round(now[1] - last[1], 2), "rss_mb": memory()["Rss"]}
        last = now

    import openvino

    say("import openvino")
    from tokenizers import Tokenizer

    Tokenizer.from_file(str(tokenizer))
    say("tokenizer")
    model = openvino.Core().compile_model(path, "CPU", settings(1, *cache))
    say("model")
    import numpy as np

    with np.load(path.with_name("inputs.npz")) as inputs:
        model.create_infer_request().infer(dict(inputs))
    say("first pass")
    assert "torch" not in sys.modules
    total = {"cpu_s": round(time.process_time(), 2), **memory()}
    print(json.dumps({"start": path.stem, "compiled": "loaded" if warm else "now", "phases": said, "together": total}), flush=True)


if __name__ == "__main__":
    main()
