"""Prepared weights: bit for bit what merging anew gives, never those of other files, and never damaged ones."""

import json
import os
import threading

import pytest
import torch
from safetensors.torch import load_file, save_file

from app.core.question import Question
from app.edge.found import find_model
from app.edge.loader import load_model
from app.edge.prepared import FOLDER, PreparedWeights, versions_of
from tests.support.adapters import change_config, make_adapter
from tests.support.tiny import TEMPLATES, tiny_model, tiny_tokenizer

QUESTION = Question("What is this?", ("one", "two", "three"))
ENOUGH = 10_000_000
FACTS = {"weights": "a", "code": "b"}


def files(folder, kind="qwen3", seed=0):
    """A base in bf16 with an adapter."""
    tokenizer = tiny_tokenizer(TEMPLATES[kind])
    model = tiny_model(kind, len(tokenizer), seed=seed)
    make_adapter(model, folder / "adapter")
    model.to(torch.bfloat16).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")


def load(folder, **kwargs):
    how = {"adapter": str(folder / "adapter"), "dtype": "float32", "device": "cpu", "prepared_bytes": ENOUGH, **kwargs}
    return load_model(str(folder / "base"), cache_dir=folder / "cache", **how)


def facts(folder, dtype=torch.float32):
    return find_model(str(folder / "base"), cache_dir=folder / "cache", adapter=str(folder / "adapter")).facts(dtype)


def joint(loaded):
    engine = loaded.engine()
    return engine.verdicts([engine.prepare(QUESTION)])[0].joint


def kept(folder):
    return sorted(folder.glob(f"cache/{FOLDER}/*.safetensors"))


def assert_the_same(loaded, other):
    ours, theirs = ({**dict(one.model.named_parameters()), **dict(one.model.named_buffers())} for one in (loaded, other))
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        assert value.dtype is theirs[name].dtype, name
        assert torch.equal(value, theirs[name]), name
    assert loaded.model.config.to_dict() == other.model.config.to_dict()
    assert (loaded.name, loaded.fingerprint, loaded.family) == (other.name, other.fingerprint, other.family)


@pytest.mark.parametrize(("kind", "dtype"), [("qwen3", "float32"), ("gemma3", "bfloat16"), ("llama", "float32")])
def test_what_is_kept_is_bit_for_bit_what_is_merged_anew(kind, dtype, tmp_path):
    files(tmp_path, kind)
    anew = load(tmp_path, dtype=dtype, prepared_bytes=0)
    assert kept(tmp_path) == []
    for _ in range(2):
        found = load(tmp_path, dtype=dtype)
        assert_the_same(found, anew)
        assert len(kept(tmp_path)) == 1
    assert joint(found) == joint(anew)
    tied = anew.model.config.tie_word_embeddings
    assert (found.model.get_input_embeddings().weight is found.model.get_output_embeddings().weight) is tied


def test_a_later_start_reads_what_is_kept(tmp_path):
    files(tmp_path)
    load(tmp_path)
    shelf = PreparedWeights(tmp_path / "cache" / FOLDER, ENOUGH)
    state = {name: tensor + 1 for name, tensor in shelf.read(facts(tmp_path)).items()}
    assert shelf.write(facts(tmp_path), state)
    found = dict(load(tmp_path).model.named_parameters())
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_only_what_took_work_is_kept(tmp_path):
    files(tmp_path)
    load(tmp_path, adapter=None, dtype="bfloat16")
    assert kept(tmp_path) == []
    load(tmp_path, adapter=None)
    assert len(kept(tmp_path)) == 1


def other_base(folder):
    tiny_model("qwen3", len(tiny_tokenizer()), seed=1).to(torch.bfloat16).save_pretrained(folder / "base")


def one_number(folder):
    """Sizes stay, and the fingerprint need not change."""
    path = folder / "base" / "model.safetensors"
    state = load_file(path)
    state["model.norm.weight"][0] += 1
    save_file(state, path, metadata={"format": "pt"})


def other_scale(folder):
    change_config(folder / "adapter", lora_alpha=64)


def other_config(folder):
    path = folder / "base" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rms_norm_eps": 1e-2}))


@pytest.mark.parametrize("change", [other_base, one_number, other_scale, other_config])
def test_other_files_have_other_facts(change, tmp_path):
    files(tmp_path)
    before = facts(tmp_path)
    assert facts(tmp_path) == before
    assert facts(tmp_path, torch.bfloat16) != before
    change(tmp_path)
    assert facts(tmp_path) != before


def test_a_library_that_does_not_say_its_version_is_no_error():
    assert versions_of("torch", "no-such-library") is None
    assert versions_of("torch") == {"torch": torch.__version__}


def test_other_files_are_prepared_anew(tmp_path):
    files(tmp_path)
    load(tmp_path)
    one_number(tmp_path)
    assert_the_same(load(tmp_path), load(tmp_path, prepared_bytes=0))


def flipped(weights, _):
    content = bytearray(weights.read_bytes())
    content[-1000] ^= 1
    weights.write_bytes(content)


def cut(weights, _):
    weights.write_bytes(weights.read_bytes()[:-100])


def emptied(weights, _):
    weights.write_bytes(b"")


def removed(weights, _):
    weights.unlink()


def not_json(_, note):
    note.write_text("{")


def a_list(_, note):
    note.write_text("[]")


@pytest.mark.parametrize("damage", [flipped, cut, emptied, removed, not_json, a_list])
def test_what_is_damaged_is_noticed_and_removed(damage, tmp_path, caplog):
    shelf, state = PreparedWeights(tmp_path, ENOUGH), {"w": torch.arange(1000.0), "v": torch.ones(3, dtype=torch.bfloat16)}
    assert shelf.write(FACTS, state)
    (weights,) = tmp_path.glob("*.safetensors")
    damage(weights, weights.with_suffix(".json"))
    assert shelf.read(FACTS) is None
    assert "are made again" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert shelf.write(FACTS, state)
    found = shelf.read(FACTS)
    assert {name: tensor.tolist() for name, tensor in found.items()} == {name: tensor.tolist() for name, tensor in state.items()}


def test_a_start_with_a_damaged_file_makes_it_again(tmp_path, caplog):
    files(tmp_path)
    load(tmp_path)
    (weights,) = kept(tmp_path)
    flipped(weights, None)
    assert_the_same(load(tmp_path), load(tmp_path, prepared_bytes=0))
    caplog.clear()
    load(tmp_path)
    assert caplog.text == ""
    assert kept(tmp_path) == [weights]


def test_a_copy_with_the_same_content_is_taken(tmp_path, caplog):
    shelf = PreparedWeights(tmp_path, ENOUGH)
    shelf.write(FACTS, {"w": torch.arange(1000.0)})
    (weights,) = tmp_path.glob("*.safetensors")
    (tmp_path / "copy").write_bytes(weights.read_bytes())
    (tmp_path / "copy").replace(weights)
    for _ in range(2):
        assert shelf.read(FACTS)["w"].tolist() == torch.arange(1000.0).tolist()
    assert caplog.text == ""


def test_numbers_that_do_not_fit_the_architecture_are_made_again(tmp_path, caplog):
    files(tmp_path)
    anew = load(tmp_path, prepared_bytes=0)
    for state in ({"x": torch.zeros(2)}, {"model.norm.weight": torch.zeros(3)}, {"model.norm.weight": anew.model.model.norm.weight}):
        caplog.clear()
        assert PreparedWeights(tmp_path / "cache" / FOLDER, ENOUGH).write(facts(tmp_path), state)
        assert_the_same(load(tmp_path), anew)
        assert "do not fit it" in caplog.text


def test_without_a_folder_that_can_be_written_all_is_done_anew(tmp_path):
    files(tmp_path)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / FOLDER).write_text("a file where the folder should be")
    assert_the_same(load(tmp_path), load(tmp_path, prepared_bytes=0))


def test_the_disk_space_is_bounded_and_what_was_used_last_stays(tmp_path):
    shelf = PreparedWeights(tmp_path, 1000)
    state = {"w": torch.ones(100)}  # 400 bytes, and a header
    name = lambda number: {"weights": str(number)}  # noqa: E731
    tmp_path.joinpath("writing-of-a-killed-process").write_text("x" * 500)
    tmp_path.joinpath("no-note.safetensors").write_text("x" * 500)
    assert shelf.write(name(1), state)
    assert shelf.write(name(2), state)
    for note in tmp_path.glob("*.json"):
        os.utime(note, (0, 0))
    assert shelf.read(name(1)) is not None
    assert shelf.write(name(3), state)
    assert [shelf.read(name(number)) is not None for number in (1, 2, 3)] == [True, False, True]
    assert not shelf.write(name(4), {"w": torch.ones(300)})
    assert [shelf.read(name(number)) is not None for number in (1, 3, 4)] == [True, True, False]
    assert sum(path.stat().st_size for path in tmp_path.glob("*.safetensors")) <= 1000
    assert len(list(tmp_path.iterdir())) == 5, "two files with a note each, and the lock"
    assert PreparedWeights(tmp_path, 0).read(name(1)) is None
    assert not PreparedWeights(tmp_path, 0).write(name(1), state)


def test_many_write_and_read_at_once(tmp_path):
    state = {"w": torch.arange(10_000.0), "v": torch.ones(3, dtype=torch.bfloat16)}
    wrong = []

    def work():
        shelf = PreparedWeights(tmp_path, ENOUGH)
        for _ in range(10):
            shelf.write(FACTS, state)
            found = shelf.read(FACTS)
            if found is not None and not all(torch.equal(found[name], tensor) for name, tensor in state.items()):
                wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert PreparedWeights(tmp_path, ENOUGH).read(FACTS) is not None
    assert not list(tmp_path.glob("writing-*"))
