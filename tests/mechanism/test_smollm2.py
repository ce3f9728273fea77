"""The recipe on a real small model, R0–R3 on questions of graded learnability. `make mechanism`; not part of `make test`: long on a CPU."""

import os
import sys

import pytest

from tests.support.graded import prove

KINDS = ("named", "keyword", "pair", "random")
ROWS = int(os.environ.get("MECHANISM_ROWS", "160"))


@pytest.mark.timeout(0)
def test_smollm2_ends_up_sure_of_what_it_learned(tmp_path):
    def progress(step, done, of):
        sys.stderr.write(f"\r{step}: {done} of {of}   ")

    proofs = prove(
        "builtin-base",
        tmp_path / "proof",
        kinds=KINDS,
        rows=ROWS,
        test_rows=160,
        progress=progress,
        sft={"learning_rate": 1e-3, "epochs": 3, "batch_size": 8, "micro_batch_size": 8},
    )
    for number, proof in enumerate(proofs):
        print(f"R{number}: {proof}")
    assert proofs[-1].failures() == []
