"""Confidence targets: the map, the count, and a file that a kill cannot change."""

import json
import math

import pytest
import torch
from transformers import DynamicCache

from app.core.buckets import BUCKETS
from app.core.errors import ConfigError
from app.core.question import Question
from app.data.dataset import Item
from app.edge.engine import VerdictEngine
from app.edge.rendering import Renderer
from app.training.label import bucket_of, count_correct, label_rows, p_correct, parameters_of
from app.training.label_file import partial_of, to_labelled
from app.training.origin import check
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_model, tiny_tokenizer

ITEMS = [Item(Question(f"Number {n}, is it? " * (1 + n % 3), tuple("wxyz"[: 2 + n % 3]), "law", f"q{n}"), "A") for n in range(11)]
LETTERS = {item.id: item.question.letters[-1] for item in ITEMS}


def make_engine(kind="qwen3", **kwargs):
    tokenizer = tiny_tokenizer(TEMPLATES[kind])
    return VerdictEngine(tiny_model(kind, len(tokenizer)), Renderer(tokenizer, FAMILIES[kind]), name="tiny", **kwargs)


def test_the_bucket_map_of_the_reference():
    assert [BUCKETS[bucket_of(k, 8)] for k in range(9)] == [0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1.0]
    assert [BUCKETS[bucket_of(k, 3)] for k in range(4)] == [0, 0.25, 0.5, 1.0]
    assert BUCKETS[bucket_of(1, 2, [0.0, 0.75, 1.0])] == 0.75


def test_exact_rounds_and_sample_draws():
    exact = [count_correct(p, samples=8, method="exact", key="x") for p in (0.0, 0.06, 0.0625, 0.5, 0.93, 0.94, 1.0)]
    assert exact == [0, 0, 1, 4, 7, 8, 8]
    drawn = [count_correct(0.3, samples=8, method="sample", key=f"0|{n}") for n in range(4000)]
    assert sum(drawn) / 8 / 4000 == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / 32000))
    assert count_correct(0.3, samples=8, method="sample", key="0|7") == drawn[7]


def test_p_correct_is_the_letters_share_at_that_temperature():
    engine = make_engine()
    prompt = engine.prepare(ITEMS[2].question)
    (verdict,) = engine.verdicts([prompt], temperature=0.7)
    for letter in ITEMS[2].question.letters:
        assert p_correct(verdict, letter) == pytest.approx(verdict.answer_probabilities[letter])
    assert p_correct(verdict, "A") != pytest.approx(p_correct(engine.verdicts([prompt])[0], "A"), abs=1e-4)


def test_a_killed_labelling_goes_on_and_ends_with_the_same_bytes(tmp_path):
    class Dying:
        """The engine, until its batches are used up."""

        def __init__(self, engine, batches):
            self.engine, self.left, self.asked = engine, batches, 0
            self.name, self.fingerprint = engine.name, engine.fingerprint

        def prepare(self, question):
            return self.engine.prepare(question)

        def verdicts(self, prompts, *, temperature):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            self.asked += len(prompts)
            return self.engine.verdicts(prompts, temperature=temperature)

    engine = make_engine()
    whole = label_rows(engine, ITEMS, LETTERS, tmp_path / "whole.jsonl", source="gold", batch_size=3)
    out = tmp_path / "killed.jsonl"
    for batches in (1, 0, 2):
        dying = Dying(engine, batches)
        with pytest.raises(KeyboardInterrupt):
            label_rows(dying, ITEMS, LETTERS, out, source="gold", batch_size=3)
        assert not out.exists()
        with (tmp_path / "killed.jsonl.partial").open("a") as file:
            file.write('{"id": "torn')
    last = Dying(engine, 99)
    assert label_rows(last, ITEMS, LETTERS, out, source="gold", batch_size=3) == whole
    assert last.asked == len(ITEMS) - 9
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "killed.jsonl",
        "killed.jsonl.origin.json",
        "whole.jsonl",
        "whole.jsonl.origin.json",
    ]
    assert list(json.loads(out.read_text().splitlines()[0])) == ["id", "label", "label_source", "p_correct", "k", "n", "bucket"]


class Asked:
    """The engine, which dies with the second batch."""

    def __init__(self, engine):
        self.engine, self.batches = engine, 0
        self.name, self.fingerprint = engine.name, engine.fingerprint

    def prepare(self, question):
        return self.engine.prepare(question)

    def verdicts(self, prompts, *, temperature):
        self.batches += 1
        if self.batches == 2:
            raise KeyboardInterrupt
        return self.engine.verdicts(prompts, temperature=temperature)


GIVEN = {"source": "gold", "batch_size": 3, "dtype": "float32"}
OTHERS = [
    ({"source": "teacher"}, "source gold, not teacher"),
    ({"samples": 16}, "samples 8, not 16"),
    ({"temperature": 1.0}, r"temperature 0\.7, not 1\.0"),
    ({"method": "sample"}, "method exact, not sample; seed none, not 0"),
    ({"table": [0.0] * 8 + [1.0]}, r"buckets none, not \[0\.0, .*1\.0\]"),
    ({"dtype": "bfloat16"}, "dtype float32, not bfloat16"),
    ({"batch_size": 4}, "batch size 3, not 4"),
]


@pytest.mark.parametrize("state", ["killed", "finished"])
@pytest.mark.parametrize(("change", "said"), OTHERS)
def test_labels_of_another_run_are_neither_gone_on_with_nor_read(tmp_path, state, change, said):
    out, engine = tmp_path / "labels.jsonl", make_engine()
    begin(engine, out, state)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigError, match=f"labels made with {said}; move labels"):
        label_rows(engine, ITEMS, LETTERS, out, **{**GIVEN, **change})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before, "nothing is touched"
    assert len(label_rows(engine, ITEMS, LETTERS, out, **GIVEN)) == len(ITEMS)


@pytest.mark.parametrize("state", ["killed", "finished"])
def test_labels_of_another_model_other_questions_or_other_letters_are_refused(tmp_path, state):
    out, engine = tmp_path / "labels.jsonl", make_engine(fingerprint="one")
    begin(engine, out, state)
    with pytest.raises(ConfigError, match="labels made with weights one, not other; move"):
        label_rows(make_engine(fingerprint="other"), ITEMS, LETTERS, out, **GIVEN)
    # Another chat template: the same weights read other prompts.
    with pytest.raises(ConfigError, match=r"labels made with prompts [0-9a-f]{12}, not [0-9a-f]{12}; move"):
        label_rows(make_engine("llama", fingerprint="one"), ITEMS, LETTERS, out, **GIVEN)
    with pytest.raises(ConfigError, match=r"questions [0-9a-f]{12}, not"):
        label_rows(engine, ITEMS[:-1], LETTERS, out, **GIVEN)
    with pytest.raises(ConfigError, match=r"labels made with letters [0-9a-f]{12}, not"):
        label_rows(engine, ITEMS, {**LETTERS, "q3": "A"}, out, **GIVEN)


def begin(engine, out, state):
    """A run that has labelled one batch, or all."""
    if state == "finished":
        label_rows(engine, ITEMS, LETTERS, out, **GIVEN)
        return
    with pytest.raises(KeyboardInterrupt):
        label_rows(Asked(engine), ITEMS, LETTERS, out, **GIVEN)
    assert len((out.parent / "labels.jsonl.partial").read_text().splitlines()) == 3


def test_labels_that_do_not_say_what_they_were_made_with_are_refused(tmp_path):
    out, engine = tmp_path / "labels.jsonl", make_engine()
    begin(engine, out, "killed")
    (tmp_path / "labels.jsonl.origin.json").unlink()
    with pytest.raises(ConfigError, match=r"labels\.jsonl\.partial holds labels that do not say what they were made with"):
        label_rows(engine, ITEMS, LETTERS, out, **GIVEN)
    (tmp_path / "labels.jsonl.origin.json").write_text("{")
    with pytest.raises(ConfigError, match=r"labels\.jsonl\.origin\.json cannot be read"):
        label_rows(engine, ITEMS, LETTERS, out, **GIVEN)


@pytest.mark.parametrize("state", ["killed", "finished"])
def test_what_is_known_before_a_teacher_is_asked_is_checked_before(tmp_path, state):
    out, engine = tmp_path / "labels.jsonl", make_engine(fingerprint="one")
    given = {"source": "gold", "dtype": "float32", "samples": 8, "temperature": 0.7, "method": "exact", "seed": 0}

    def checked(engine=engine, **changes):
        check(out, parameters_of(engine, **{**given, **changes}), what="labels", partial=partial_of(out), some=True)

    checked(source="teacher")
    begin(engine, out, state)
    checked()
    for change in ({"source": "teacher"}, {"temperature": 1.0}, {"engine": make_engine(fingerprint="other")}, {"method": "sample"}):
        with pytest.raises(ConfigError, match=r"holds labels made with (source|temperature|weights|method) "):
            checked(**change)


@pytest.mark.parametrize("left", ["nothing", "an empty file", "half an origin"])
def test_parameters_without_rows_bind_nobody(tmp_path, left):
    """Killed between the parameters and the first row: there is nothing yet that could be mixed."""
    out, engine = tmp_path / "labels.jsonl", make_engine()
    with pytest.raises(ConfigError, match="cannot be used"):
        label_rows(engine, [Item(Question("word " * 3000, ("a", "b"), "law", "huge"), "A")], {"huge": "A"}, out, **GIVEN)
    (tmp_path / "labels.jsonl.origin.json").write_text('{"temperature": 9}')
    if left == "an empty file":
        (tmp_path / "labels.jsonl.partial").touch()
    if left == "half an origin":
        (tmp_path / "labels.jsonl.origin.json.partial").write_text('{"temp')
    assert len(label_rows(engine, ITEMS, LETTERS, out, **GIVEN)) == len(ITEMS)
    assert json.loads((tmp_path / "labels.jsonl.origin.json").read_text())["temperature"] == 0.7


def test_rows_without_a_letter_are_left_out_and_long_prompts_are_named(tmp_path):
    engine = make_engine()
    rows = label_rows(engine, ITEMS, {"q3": "A", "q5": "B"}, tmp_path / "a.jsonl", source="teacher", method="sample")
    assert [(row.id, row.label, row.label_source, row.n) for row in rows] == [
        ("q3", "A", "teacher", 8),
        ("q5", "B", "teacher", 8),
    ]
    assert all(row.k is not None and row.bucket == str(BUCKETS[bucket_of(row.k, 8)]) for row in rows)
    labelled = to_labelled(ITEMS, rows)
    assert [(row.item.id, row.letter) for row in labelled] == [("q3", "A"), ("q5", "B")]
    long = [Item(Question("word " * 3000, ("a", "b"), "law", "huge"), "A")]
    with pytest.raises(ConfigError, match="the question 'huge' cannot be used: the prompt is"):
        label_rows(engine, long, {"huge": "A"}, tmp_path / "b.jsonl", source="gold")


@torch.inference_mode()
def test_draws_from_the_table_are_real_constrained_sampling():
    """EVOLVE's claim: transformers' own sampler, held to the format, against the table of one forward pass; chi-square."""
    engine, temperature, draws = make_engine(), 0.7, 1500
    question = ITEMS[1].question
    prompt = engine.prepare(question)
    trie = engine.renderer.trie
    sequences = {}
    for bucket in range(len(BUCKETS)):
        for index in range(len(question.letters)):
            sequences[(*trie.path(bucket), trie.letters[bucket][index])] = (bucket, index)
    ids = torch.tensor([prompt.ids])

    following: dict[tuple[int, ...], set[int]] = {}
    for sequence in sequences:
        for at, token in enumerate(sequence):
            following.setdefault(sequence[:at], set()).add(token)

    def allowed(_, tokens):
        # Behind a whole answer only padding.
        return sorted(following.get(tuple(tokens[len(prompt.ids) :].tolist()), {0}))

    model = tiny_model("qwen3", len(tiny_tokenizer()))
    # The prompt is the same for all, so it is read once.
    with torch.inference_mode():
        read = model(ids[:, :-1], use_cache=True).past_key_values
    torch.manual_seed(0)
    written = model.generate(
        ids.expand(draws, -1),
        attention_mask=torch.ones(draws, ids.shape[1], dtype=torch.long),
        past_key_values=DynamicCache([(one.keys.expand(draws, -1, -1, -1), one.values.expand(draws, -1, -1, -1)) for one in read.layers]),
        do_sample=True,
        temperature=temperature,
        top_k=0,
        top_p=1.0,
        max_new_tokens=max(map(len, sequences)),
        prefix_allowed_tokens_fn=allowed,
        pad_token_id=0,
    )[:, ids.shape[1] :]
    counts = dict.fromkeys(sequences.values(), 0)
    for row in written.tolist():
        (found,) = [cell for sequence, cell in sequences.items() if tuple(row[: len(sequence)]) == sequence]
        counts[found] += 1
    (verdict,) = engine.verdicts([prompt], temperature=temperature)
    assert p_value(counts, verdict.joint, draws) > 1e-4
    # The test has teeth: the table of another temperature does not pass it.
    (other,) = engine.verdicts([prompt], temperature=1.0)
    assert p_value(counts, other.joint, draws) < 1e-9


def p_value(counts, joint, draws):
    """Pearson's chi-square; cells that expect fewer than five are put together."""
    cells = sorted((joint[bucket][index] * draws, count) for (bucket, index), count in counts.items())
    small = [cell for cell in cells if cell[0] < 5]
    merged = [(sum(e for e, _ in small), sum(c for _, c in small)), *(cell for cell in cells if cell[0] >= 5)]
    merged = [cell for cell in merged if cell[0] > 0]
    statistic = sum((count - expected) ** 2 / expected for expected, count in merged)
    return float(torch.special.gammaincc(torch.tensor((len(merged) - 1) / 2), torch.tensor(statistic / 2)))
