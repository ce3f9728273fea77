"""The teacher over real HTTP: each question asked once, each answer kept, and what is done when it babbles or falls silent."""

import contextlib

import httpx2
import pytest

from app.cloud.bank import SHIPPED_BANK, Bank, load_rows
from app.cloud.demo import create_demo
from app.errors import ConfigError
from app.evaluation.dataset import load_items
from app.evaluation.records import read_records
from app.training.teacher import Teacher, ask_teacher
from tests.clouds import cloud_client
from tests.servers import serving

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
    async with httpx2.AsyncClient() as http:
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
    with pytest.raises(ConfigError, match=r"the teacher failed: .*; 10 of 30 answers are kept, --resume goes on"):
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
