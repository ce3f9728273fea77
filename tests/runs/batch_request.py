"""What does the gateway add to a batch? `python -m tests.runs.batch_request [--model tiny] [--questions 256] [--turns 3]`

In one process, in turn: the engine alone on all questions, in the passes in which the batcher would run them if all of them waited, and one
request to `/v1/answers` with the same questions and `route: edge`. Prints a line of JSON for each turn and one with the medians: CPU
seconds of the process (all its threads, the client's part among them), seconds of the clock, and what the engine alone has of each. A share
of 0.9 means that a batch request takes 1 / 0.9 times what the engine alone takes.

`tiny` is a random model of two layers with a tokenizer of its own: it shows what the gateway costs, and `builtin` shows what that matters.
"""

import argparse
import asyncio
import gc
import json
import statistics
import time

from app.api.app import create_app
from app.bench.client import drive
from app.bench.connection import prepare
from app.bench.edge.questions import bank
from app.config.settings import Settings
from app.core.prompt import PromptFamily
from app.core.question import Question
from app.edge.build import batch_size, with_engine
from app.edge.builtin import default_cache_dir
from app.edge.engine import VerdictEngine
from app.edge.loader import load_model
from app.edge.rendering import Renderer
from app.edge.threads import set_threads
from tests.runs.padding import of_similar_length
from tests.support.servers import serving
from tests.support.tiny import tiny_model, tiny_tokenizer


def engine_of(model):
    if model != "tiny":
        return load_model(model, cache_dir=default_cache_dir(), dtype="float32").engine()
    tokenizer = tiny_tokenizer()
    return VerdictEngine(tiny_model("llama", len(tokenizer)), Renderer(tokenizer, PromptFamily.LLAMA), name="tiny")


def questions_of(count):
    """Questions of the shipped bank, each with a number in front, so that none is the same as another."""
    some = bank()
    chosen = (some[number % len(some)] for number in range(count))
    return [Question(f"{number}. {one.question}", one.options) for number, one in enumerate(chosen)]


def check(status, content, count):
    results = json.loads(content).get("results", [])
    failed = [result for result in results if "error" in result]
    if status != 200 or len(results) != count or failed:
        raise SystemExit(f"status {status}, {len(results)} results, {len(failed)} of them errors: {content[:300]!r}")


async def measured(work):
    """CPU seconds and seconds of the clock."""
    gc.collect()
    cpu, began = time.process_time(), time.monotonic()
    await work()
    return time.process_time() - cpu, time.monotonic() - began


async def compare(given, engine, settings):
    questions = questions_of(given.questions)
    # In the order of their lengths, as the gateway asks them.
    prompts = sorted((engine.prepare(question) for question in questions), key=lambda prompt: prompt.columns)
    size = batch_size(settings, engine)
    passes = of_similar_length(prompts, size, 1.0 if engine.packs_rows else settings.edge.max_padding_share)
    body = {"questions": [{"question": one.question, "options": list(one.options), "route": "edge"} for one in questions]}

    async with serving(create_app(settings, edge=with_engine(lambda _: engine))) as url:
        request = prepare(f"{url}/v1/answers", json.dumps(body).encode())
        ready = prepare(f"{url}/health/ready")
        while (await drive([ready], clients=1, count=1)).failures:
            await asyncio.sleep(0.05)

        def alone():
            for one in passes:
                engine.verdicts(one)

        async def over_http():
            await drive([request], clients=1, count=1, timeout=3600, on_reply=lambda _, *reply: check(*reply, len(questions)))

        ways = {"engine": lambda: asyncio.to_thread(alone), "http": over_http}
        took = {name: [] for name in ways}
        for turn in range(given.turns):
            for name in [*ways][:: 1 if turn % 2 == 0 else -1]:
                took[name].append(await measured(ways[name]))
            said = {name: {"cpu_s": round(took[name][-1][0], 3), "s": round(took[name][-1][1], 3)} for name in ways}
            print(json.dumps({"turn": turn, **said}), flush=True)
    cpu, clock = ([one[kind] / other[kind] for one, other in zip(took["engine"], took["http"], strict=True)] for kind in (0, 1))
    added = [other[0] - one[0] for one, other in zip(took["engine"], took["http"], strict=True)]
    summary = {
        "questions": len(questions),
        "max_batch_size": size,
        "passes": len(passes),
        "share_of_cpu": [round(value, 3) for value in (statistics.median(cpu), min(cpu), max(cpu))],
        "share_of_rate": [round(value, 3) for value in (statistics.median(clock), min(clock), max(clock))],
        "added_ms_a_question": round(1000 * statistics.median(added) / len(questions), 3),
    }
    print(json.dumps(summary), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--questions", type=int, default=256)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--batch", type=int, help="Most questions in a forward pass; by default what the gateway chooses.")
    given = parser.parse_args()
    set_threads(1)
    # Speed is measured and not what becomes of a question on a machine too busy to answer it in time.
    far = 3_600_000
    settings = Settings(
        edge={"max_batch_size": given.batch or "auto"},
        limits={"max_questions": given.questions},
        deadline_ms=far,
        batch_deadline_ms=far,
    )
    asyncio.run(compare(given, engine_of(given.model), settings))


if __name__ == "__main__":
    main()
