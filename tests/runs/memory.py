"""What a chain needs: R0 and R1 on a base of random weights; prints the peak memory of the process. `make memory`.

The base is written in bf16, in files of a gigabyte, as those of hubs are, by a process of its own; its architecture is
Qwen3's, its tokenizer a small one. Rows are few, since what a row costs in memory depends on the batch and not on the base.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch
import transformers
from transformers import Qwen3Config, Qwen3ForCausalLM

from app.training.chain import open_chain
from app.training.config import load_config
from app.training.evolve import run_rounds
from tests.support.chains import chain_config
from tests.support.tiny import tiny_tokenizer

_GB = 1e9


def memory():
    """(resident, anonymous, peak resident) of this process in bytes."""
    status = Path("/proc/self/status").read_text()
    return tuple(int(status.split(f"{name}:")[1].split()[0]) * 1024 for name in ("VmRSS", "RssAnon", "VmHWM"))


class Watch:
    """The largest anonymous memory, looked at a hundred times a second; what is resident besides are pages of files."""

    def __init__(self):
        self.anonymous = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self):
        while not self._stop.wait(0.01):
            self.anonymous = max(self.anonymous, memory()[1])

    def stop(self):
        self._stop.set()
        self._thread.join()


def write_base(folder, hidden, layers):
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        # As 1.8-billion models have it: 5504 of 2048.
        intermediate_size=hidden * 43 // 16,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 128,
        num_key_value_heads=hidden // 128,
        head_dim=128,
        max_position_embeddings=4096,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        model = Qwen3ForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    model.save_pretrained(folder, max_shard_size="1GB")
    tokenizer.save_pretrained(folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=2048)
    parser.add_argument("--layers", type=int, default=36)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--checkpointing", action=argparse.BooleanOptionalAction, default=True, help="sft.gradient_checkpointing")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--write", type=Path, help="Only write the base.")
    given = parser.parse_args()
    transformers.logging.disable_progress_bar()
    if given.write:
        write_base(given.write, given.hidden, given.layers)
        return
    with tempfile.TemporaryDirectory(dir=given.work) as name:
        work = Path(name)
        shape = ["--hidden", str(given.hidden), "--layers", str(given.layers)]
        subprocess.run([sys.executable, "-m", "tests.runs.memory", "--write", str(work / "large"), *shape], check=True)
        path = chain_config(
            work / "in",
            base=str(work / "large"),
            dtype=given.dtype,
            threads=0,
            domains=["law"],
            rounds=1,
            buffer_rows=2,
            new_rows=1,
            replay_rows=1,
            data={"train": {"law": ["law.jsonl"]}, "test": ["test.jsonl"], "dev_rows": 1},
            # One step a round, and not at the learning rate of zero with which a warm-up of the learning rate begins.
            sft={
                "learning_rate": 1e-3,
                "epochs": 1,
                "batch_size": 2,
                "micro_batch_size": 2,
                "warmup_ratio": 0.0,
                "gradient_checkpointing": given.checkpointing,
            },
            gate={"min_entropy": 0.0, "max_accuracy_loss": 1.0, "max_ece_increase": 1.0},
        )
        before, watch, since = memory()[0], Watch(), time.monotonic()
        chain = open_chain(load_config(path), work / "run", resume=False, cache_dir=work, teacher=None)
        parameters = chain.checkpoint.loaded.model.num_parameters()
        weights = parameters * chain.checkpoint.loaded.model.dtype.itemsize
        run_rounds(chain)
        watch.stop()
        peak = memory()[2]
        found = {
            "parameters": parameters,
            "dtype": given.dtype,
            "gradient_checkpointing": given.checkpointing,
            "rounds": len(chain.state.rounds),
            "weights_gb": round(weights / _GB, 2),
            "empty_process_gb": round(before / _GB, 2),
            "peak_gb": round(peak / _GB, 2),
            "peak_without_file_pages_gb": round(watch.anonymous / _GB, 2),
            "copies": round((watch.anonymous - before) / weights, 2),
            "seconds": round(time.monotonic() - since),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
