"""The teacher over real HTTP: each question asked once, each answer kept, and what is done when it babbles or falls silent."""

import contextlib
import json

import pytest

from app.cli.teacher import connect_teacher
from app.config.settings import Settings
from app.core.errors import ConfigError
from app.data.dataset import load_items
from app.data.records import read_records
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.server import create_demo
from app.training.teacher import Teacher, ask_teacher
from tests.support.clouds import cloud_client, completion, scripted
from tests.support.loopback import loopback_client
from tests.support.servers import serving

ITEMS = load_items([SHIPPED_BANK])[:30]


def connect(url, **identity):
    @contextlib.asynccontextmanager
    async def teacher():
        client = cloud_client(url, max_attempts=2)
        try:
            yield client
        finally:
            await client.close()

    return Teacher(teacher, {"model": "demo", **identity})


async def calls(url):
    async with loopback_client() as http:
        return (await http.get(url + "/stats")).json()["calls"]


def demo(**kwargs):
    return create_demo(Bank(load_rows([SHIPPED_BANK]), accuracy=1.0), **kwargs)


async def test_each_question_is_asked_once_in_the_life_of_a_run(tmp_path):
    out, seen = tmp_path / "teacher.jsonl", []
    async with serving(demo()) as url:
        letters = await ask_teacher(ITEMS[:20], out, connect(url), on_progress=seen.append)
        assert letters == {item.id: item.gold for item in ITEMS[:20]}
        assert await ask_teacher(ITEMS, out, connect(url)) == {item.id: item.gold for item in ITEMS}
        assert await calls(url) == 30
        await ask_teacher(ITEMS, out, connect(url))
        assert await calls(url) == 30
    assert seen[-1] == 20
    assert list(read_records(out)) == sorted(item.id for item in ITEMS)


async def test_a_teacher_that_returns_prose_is_an_error_and_is_not_asked_again(tmp_path):
    out = tmp_path / "teacher.jsonl"
    async with serving(demo(faults={"prose": 1.0})) as url:
        for _ in range(2):
            with pytest.raises(ConfigError, match="named no option on 30 of 30 questions, more than"):
                await ask_teacher(ITEMS, out, connect(url))
        assert await calls(url) == 30
        assert await ask_teacher(ITEMS, out, connect(url), max_unlabelled=1.0) == {}


async def test_a_teacher_that_falls_silent_stops_the_run_and_what_it_said_is_kept(tmp_path):
    out = tmp_path / "teacher.jsonl"
    async with serving(demo()) as url:
        await ask_teacher(ITEMS[:10], out, connect(url))
    with pytest.raises(ConfigError, match=r"the teacher failed: .*; 10 of 30 answers are kept, --resume continues"):
        await ask_teacher(ITEMS, out, connect(url))
    assert len(read_records(out)) == 10
    async with serving(demo()) as url:
        assert len(await ask_teacher(ITEMS, out, connect(url))) == 30
        assert await calls(url) == 20


async def test_another_question_under_a_known_id_is_refused(tmp_path):
    out = tmp_path / "teacher.jsonl"
    async with serving(demo()) as url:
        await ask_teacher(ITEMS[:1], out, connect(url))
        changed = type(ITEMS[0])(ITEMS[0].question, "D" if ITEMS[0].gold != "D" else "A")
        with pytest.raises(ConfigError, match="holds another question under the id"):
            await ask_teacher([changed], out, connect(url))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"model": "larger"}, "model demo, not larger"),
        ({"endpoint": ["http://b/v1"]}, r'endpoint \["http://a/v1"\], not \["http://b/v1"\]'),
        ({"prompt_version": "2"}, "prompt version 1, not 2"),
    ],
)
async def test_answers_of_another_teacher_are_refused(tmp_path, other, said):
    out, ours = tmp_path / "teacher.jsonl", {"endpoint": ["http://a/v1"], "prompt_version": "1"}
    async with serving(demo()) as url:
        await ask_teacher(ITEMS[:5], out, connect(url, **ours))
        with pytest.raises(ConfigError, match=f"holds answers made with {said}; .* correct teacher.jsonl.origin.json"):
            await ask_teacher(ITEMS, out, connect(url, **{**ours, **other}))
        assert await calls(url) == 5, "nobody is asked"
        assert len(await ask_teacher(ITEMS, out, connect(url, **ours))) == 30


async def test_answers_that_do_not_say_whose_they_are_are_refused(tmp_path):
    out = tmp_path / "teacher.jsonl"
    async with serving(demo()) as url:
        await ask_teacher(ITEMS[:5], out, connect(url))
        (tmp_path / "teacher.jsonl.origin.json").unlink()
        with pytest.raises(ConfigError, match="holds answers that do not say what they were made with"):
            await ask_teacher(ITEMS, out, connect(url))


def test_the_configured_cloud_is_known_by_models_and_addresses_and_its_secrets_are_not_kept():
    settings = Settings.model_validate(
        {
            "cloud": {
                "base_url": "https://name:hunter2@one.example:8443/v1/?key=hunter3",
                "model": "large",
                "api_key": "hunter4",
                "extra_headers": {"x-key": "hunter5"},
                "extra_body": {"secret": "hunter6"},
                "endpoints": {"spare": {"base_url": "http://[::1]:9000/v1", "model": "other", "api_key": "hunter7"}},
            }
        }
    )
    identity = connect_teacher(settings).identity
    assert identity["model"] == ["large", "other"]
    assert identity["endpoint"] == ["https://one.example:8443/v1", "http://[::1]:9000/v1"]
    assert "hunter" not in json.dumps(identity)
    other = settings.model_copy(update={"cloud": settings.cloud.model_copy(update={"extra_body": {"temperature": 1}})})
    assert connect_teacher(other).identity["extra_body"] != identity["extra_body"]


THOUGHTS = [
    ("<think>\nThe answer is A.", "length"),
    ("The answer is A.\n</think>\n", "stop"),
    ("[THINK]Final answer: A", None),
    ("A", "length"),
    ("Final answer: A", "content_filter"),
]


@pytest.mark.parametrize(("text", "reason"), THOUGHTS)
async def test_a_thought_or_a_cut_reply_labels_nothing(tmp_path, text, reason):
    payload = completion(text)
    payload["choices"][0]["finish_reason"] = reason
    async with scripted((200, payload)) as server:
        assert await ask_teacher(ITEMS[:2], tmp_path / "teacher.jsonl", connect(server.url), max_unlabelled=1.0) == {}
    kept = read_records(tmp_path / "teacher.jsonl")
    assert [record["letter"] for record in kept.values()] == [None, None]
