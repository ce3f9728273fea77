"""Which question is for what, and that no test question is trained on."""

import pytest

from app.core.errors import ConfigError
from app.core.question import Question
from app.training.config import load_config
from app.training.pools import data_fingerprint, make_pools, sources_of, text_hash
from tests.support.chains import chain_config, questions, write


def pools_of(path):
    return make_pools(load_config(path))


def test_every_row_has_one_place_and_the_seed_decides_which(tmp_path):
    pools = pools_of(chain_config(tmp_path))
    placed = [item.id for part in (pools.dev, *pools.new) for item in part]
    assert len(placed) == len(set(placed))
    assert [len(part) for part in pools.new] == [12, 8, 8]
    assert pools.domain == (None, "law", "math")
    assert {item.question.domain for item in pools.new[1]} == {"law"}
    assert sorted(item.question.domain for item in pools.new[0]) == ["law"] * 6 + ["math"] * 6
    assert len(pools.dev) == 16
    assert data_fingerprint(pools_of(tmp_path / "evolve.yaml")) == data_fingerprint(pools)
    other = pools_of(chain_config(tmp_path, seed=4))
    assert data_fingerprint(other) != data_fingerprint(pools)


def test_a_small_domain_is_shared_among_its_rounds(tmp_path):
    """22 rows less 8 for dev and 6 for the buffer: 8 are left for two rounds of at most 20."""
    pools = pools_of(chain_config(tmp_path, rows=22, rounds=4, new_rows=20))
    assert [len(part) for part in pools.new[1:]] == [4, 4, 4, 4]


def test_replay_is_drawn_from_earlier_rounds_only(tmp_path):
    pools = pools_of(chain_config(tmp_path))
    assert pools.replay(0, 5, seed=0) == ()
    earlier = {item.id for part in pools.new[:2] for item in part}
    drawn = pools.replay(2, 15, seed=0)
    assert len({item.id for item in drawn}) == 15
    assert {item.id for item in drawn} <= earlier
    assert pools.replay(2, 15, seed=0) == drawn
    assert pools.replay(2, 15, seed=1) != drawn
    assert len(pools.replay(2, 500, seed=0)) == 20, "all of them where there are fewer"


@pytest.mark.parametrize("text", ["train 0 of law: the answer is {}", "TRAIN 0 of law - the   answer is {}!"])
def test_a_training_row_that_is_a_test_row_is_refused_by_name(tmp_path, text):
    path = chain_config(tmp_path)
    (row, *_) = questions(1, "law", 1, "train")
    twin = {**row, "id": "leak", "question": text.format(row["answer"]), "options": ["Z", "y", "x", "w"]}
    write(tmp_path / "test.jsonl", [*questions(3, "law", 2, "test"), twin])
    with pytest.raises(ConfigError, match="the training row 'train-law-0' is the test row 'leak'"):
        pools_of(path)


def test_only_rows_whose_every_licence_is_allowed_are_used_and_long_ones_are_left_out(tmp_path):
    names = ["MIT", "mit (its repository) / Apache-2.0 (its card (2021))", "CC BY-NC 4.0 (X)", "MIT (repo); items (c) Someone", None]
    path = chain_config(tmp_path, rows=40)
    for domain in ("law", "math"):
        made = questions(40, domain, 1, "train")
        write(tmp_path / f"{domain}.jsonl", [{**row, "license": names[at % 5], "source": "a/b@1 f.csv"} for at, row in enumerate(made)])
    config = load_config(path)
    allowed = config.data.model_copy(update={"licenses": ["MIT", "apache-2.0"], "dev_rows": 4})
    pools = make_pools(config.model_copy(update={"data": allowed}), lambda question: "guess" not in question.question)
    used = [item for part in (pools.dev, *pools.new) for item in part]
    assert {item.license for item in used} == set(names[:2])
    assert not any("guess" in item.question.question for item in used)
    # Of each domain's 40 rows 16 may be used, and half of those are long.
    assert pools.left_out == {"license": 48, "too long": 16}
    assert {(row.source, row.license) for row in sources_of(pools)} == {("a/b@1", "MIT"), ("a/b@1", "mit / Apache-2.0")}
    assert sum(row.rows for row in sources_of(pools)) == len(used) - len(pools.dev)
    none = config.data.model_copy(update={"licenses": ["CC0"]})
    with pytest.raises(ConfigError, match="the domain 'law' has 0 usable rows"):
        make_pools(config.model_copy(update={"data": none}))


def test_numbers_and_signs_that_change_the_meaning_are_kept():
    hashes = {text_hash(Question(text, ("a", "b"))) for text in ("What is 1 + 2?", "What is 1 = 2?", "What is 12?", "What is 1 < 2?")}
    assert len(hashes) == 4


def test_what_cannot_be_trained_on_is_said(tmp_path):
    path = chain_config(tmp_path, data={"train": {"law": ["law.jsonl"]}, "dev_rows": 8})
    with pytest.raises(ConfigError, match="the domain 'math' has no training files"):
        pools_of(path)
    path = chain_config(tmp_path, data={"train": {"law": ["law.jsonl"]}, "replay_only": ["math"], "dev_rows": 8})
    assert [len(part) for part in pools_of(path).new] == [12, 8, 0]
    path = chain_config(tmp_path, data={"train": {"law": ["law.jsonl"], "math": ["law.jsonl"]}, "dev_rows": 8})
    with pytest.raises(ConfigError, match="in the training files of 'math' is of the domain 'law'"):
        pools_of(path)
    path = chain_config(tmp_path, rows=8)
    with pytest.raises(ConfigError, match=r"the domain 'law' has 8 usable rows, of which data\.dev_rows = 8"):
        pools_of(path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"roundz": 3}, "unknown setting 'roundz'; did you mean 'rounds'"),
        ({"sft": {"learning_rat": 1}}, "did you mean 'sft.learning_rate'"),
        ({"sft": {"batch_size": 5, "micro_batch_size": 2}}, "sft.batch_size must be a multiple"),
        ({"binding": {"sft": {"batch_size": 5, "micro_batch_size": 2}}}, "binding.sft.batch_size must be a multiple"),
        ({"binding": {"row": 5}}, "did you mean 'binding.rows'"),
        ({"warmup": {"rows": 5}}, "the setting 'warmup' is called 'binding' now"),
        ({"warmup": None}, "the setting 'warmup' is called 'binding' now"),
        ({"labels": {"buckets": [0.0, 0.5]}}, "labels.buckets needs one of"),
        ({"labels": {"source": "guess"}}, "labels.source"),
        ({"labels": {"target": "soft"}}, r"labels\.target = soft is .* which loss = tokens cannot learn: set loss to joint"),
        ({"joint": {"letters": "gold"}}, "the settings of 'joint' have no effect with loss = tokens"),
        ({"loss": "joint", "joint": {"confidence_weight": 0}}, r"joint\.confidence_weight must be above 0"),
        ({"loss": "joint", "joint": {"confidence_loss": "bier"}}, r"joint\.confidence_loss"),
        ({"domains": ["law"]}, "data names the domain 'math'"),
    ],
)
def test_a_wrong_config_is_said_in_a_sentence(tmp_path, changes, says):
    with pytest.raises(ConfigError, match=says):
        load_config(chain_config(tmp_path, **changes))


def test_the_shipped_config_holds_every_setting_with_its_default():
    from pathlib import Path

    import yaml

    from app.training.config import EvolveConfig

    shipped = yaml.safe_load((Path(__file__).parents[2] / "config/evolve.yaml").read_text())
    assert EvolveConfig.model_validate(shipped).model_dump(exclude={"data"}) == {
        key: value for key, value in EvolveConfig(data={"train": {}}).model_dump().items() if key != "data"
    }
    dumped = EvolveConfig.model_validate(shipped).model_dump()

    def keys(value, prefix=""):
        return {
            path
            for name, sub in value.items()
            for path in ({prefix + name} | (keys(sub, prefix + name + ".") if isinstance(sub, dict) else set()))
        }

    assert keys(dumped) == keys(shipped)
