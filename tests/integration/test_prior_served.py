"""A gateway with a letter prior over real HTTP: every face shows the corrected answer, and a reload exchanges it with its threshold."""

import asyncio
import json

import pytest

from app.config.settings import Settings
from app.core.verdict import Signal
from app.data.calibration import read_calibration, write_calibration
from tests.integration.test_api import calibration_file, gateway
from tests.integration.test_reload import running
from tests.support.lettered import prior_model

ASK = {"question": "I am sure of this", "options": ["a", "b", "c", "d"]}
# The fake edge puts 0.7 on B and 0.1 on the others.
STRONG = {4: (0.06, 0.82, 0.06, 0.06)}


def with_prior(path, by_options, **changes):
    calibration_file(path)
    found = read_calibration(path).model_copy(
        update={
            "signal": Signal.TOP_PROBABILITY,
            "temperature": 1.0,
            "tau": 0.2,
            "domains": {},
            "letter_prior": prior_model(by_options),
        }
        | changes
    )
    write_calibration(path, found)
    return path


async def test_every_face_shows_the_corrected_answer(tmp_path):
    # 0.1 / 0.06 = 1.67 of A, C and D, 0.7 / 0.82 = 0.85 of B.
    policy = {"calibration": with_prior(tmp_path / "c.json", STRONG)}
    async with gateway(policy=policy) as (http, _):
        response = await http.post("/v1/answer", json=ASK)
        body = response.json()
        chat = {
            "model": "foggate",
            "messages": [{"role": "user", "content": "I am sure of this\nA. a\nB. b\nC. c\nD. d\nAnswer with the letter only."}],
            "logprobs": True,
            "top_logprobs": 4,
        }
        said = (await http.post("/v1/chat/completions", json=chat)).json()
        more = (await http.post("/v1/answer", json=ASK | {"options": list("abcde")})).json()
        team = {"type": "choice", "instructions": "Which?", "criteria": dict.fromkeys("abcd")}
        decided = (
            await http.post("/v1/systemone", json={"model": "jev-latest", "state": ASK["question"], "questions": {"team": team}})
        ).json()
        edge, *_ = (await http.get("/v1/models")).json()["data"]
    shares = body["edge"]["answer_probabilities"]
    assert body["answer"] == body["edge"]["answer"] == max(shares, key=shares.get) == "A"
    assert body["signal_value"] == max(shares.values()) == pytest.approx(1.6667 / (3 * 1.6667 + 0.8537), abs=1e-4)
    assert body["confidence"] == 1.0, "the confidence is the model's own"
    assert said["choices"][0]["message"]["content"] == "A"
    assert decided["answers"]["team"]["choice"] == "a"
    assert list(decided["answers"]["team"]["probabilities"].values()) == pytest.approx(list(shares.values()))
    assert decided["answers"]["team"]["x_foggate"]["signal_value"] == pytest.approx(body["signal_value"])
    assert float(response.headers["x-foggate-signal"]) == pytest.approx(body["signal_value"], abs=1e-3)
    assert more["answer"] == "B", "with more options than the prior knows nothing is corrected"
    assert edge["calibration"]["letter_prior"]["by_options"] == {"4": list(STRONG[4])}


async def test_a_reload_exchanges_prior_and_threshold_together(tmp_path):
    """Whatever is asked meanwhile: the answer of a prior never comes with the threshold of another one."""
    first = with_prior(tmp_path / "a.json", STRONG, tau=0.2)
    other = with_prior(tmp_path / "b.json", {4: (0.1, 0.2, 0.3, 0.4)}, tau=0.6)
    plain = calibration_file(tmp_path / "p.json")
    async with running(Settings(policy={"calibration": first})) as run:
        seen, done = set(), asyncio.Event()

        async def ask():
            while not done.is_set():
                body = (await run.ask(ASK))[1]
                seen.add((body["tau"], body["edge"]["answer"], body["signal"]))

        asking = asyncio.create_task(ask())
        for path in (other, plain, first, other):
            await run.reload(Settings(policy={"calibration": path}))
            assert (await run.ask(ASK))[0] == 200
        done.set()
        await asking
        assert seen <= {(0.2, "A", "top_probability"), (0.6, "B", "top_probability"), (0.2, "B", "expected")}
        # A damaged prior changes nothing.
        content = json.loads(first.read_text())
        content["letter_prior"]["by_options"]["4"][0] = 0.5
        first.write_text(json.dumps(content))
        assert "the letter prior of 4 options sums to 1.44, not to 1" in await run.refused(Settings(policy={"calibration": first}))
        assert (await run.ask(ASK))[1]["tau"] == 0.6
