"""The recipe works: a tiny model ends up sure of what it learned and unsure of what cannot be known. `make mechanism` is its big brother."""

import pytest

from tests.support.graded import graded, learnable_base, prove

KINDS = ("named", "keyword", "random")


# Minutes of training: under coverage, beside other tests, more than the 300 s that any other test gets.
@pytest.mark.timeout(1800)
def test_a_tiny_model_learns_what_it_knows(tmp_path):
    proofs = prove(
        learnable_base(tmp_path / "base"),
        tmp_path / "proof",
        kinds=KINDS,
        rows=400,
        test_rows=150,
        dtype="float32",
        sft={"learning_rate": 8e-3, "epochs": 6, "batch_size": 8, "micro_batch_size": 8},
    )
    last = proofs[-1]
    assert last.failures() == [], last
    assert last.accuracy["named"] > 0.9
    assert last.accuracy["random"] < 0.45
    # It was not so from the start.
    assert proofs[0].failures()


def test_the_questions_are_disjoint_and_what_they_say_they_are():
    train, test = graded(400, 1, KINDS), graded(150, 3, KINDS)
    assert not {item.question.question for item in train} & {item.question.question for item in test}
    for item in train:
        kind, letter = item.id.split("-")[0], item.gold
        assert (f"the answer is {letter}" in item.question.question) == (kind == "named")
    counts = {letter: sum(item.gold == letter for item in train if item.id.startswith("random")) for letter in "ABCD"}
    assert min(counts.values()) > 15
