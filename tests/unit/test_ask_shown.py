"""What `foggate ask` prints: the answer, where it comes from, and in plain words when nobody is sure of it."""

import io

import pytest
from rich.console import Console

from app.api.schemas import AnswerRequest
from app.cli.ask import show
from app.core.errors import CloudError, kinds_of

ASKED = AnswerRequest(question="q", options=["[red]one", "two " * 60])


def shown(width=80, **changes):
    reply = {
        "answer": "B",
        "answer_text": ASKED.options[1],
        "route": "edge",
        "reason": "confident",
        "degraded": False,
        "tau": 0.27203,
        "signal": "expected",
        "confidence": 0.75,
        "expected_confidence": 0.4,
        "edge": {
            "model": "m",
            "answer": "B",
            "answer_probabilities": {"A": 0.4, "B": 0.6},
            "confidence_probabilities": {"0.0": 0.5, "1.0": 0.5},
        },
        "cloud": None,
        "timings_ms": {"total": 12.3},
    }
    out = io.StringIO()
    show({**reply, **changes}, ASKED, Console(file=out, width=width))
    return out.getvalue()


def test_a_confident_answer_says_nothing_of_doubt():
    text = shown()
    assert "from the edge, confident, tau 0.272 on the expected confidence" in text
    assert "not sure" not in text
    assert "[red]one" in text


@pytest.mark.parametrize("reason", [kind.code for kind in kinds_of(CloudError)])
def test_a_degraded_answer_says_why_in_plain_words(reason):
    lines = shown(degraded=True, reason=reason, expected_confidence=0.2).splitlines()
    assert lines[2].startswith("The edge model is not sure of this answer, and ")
    assert lines[2] != "The edge model is not sure of this answer, and the cloud gave no answer."
    assert shown(degraded=True, reason=reason).splitlines()[2].startswith("The cloud was asked for, and ")


def test_verbalized_confidence_is_what_is_compared_when_it_is_the_signal():
    assert "The cloud was asked for" in shown(degraded=True, reason="cloud_timeout", signal="verbalized", expected_confidence=0.1)


def test_sentences_are_not_cut_at_the_width_of_a_pipe():
    assert "from the edge, confident, tau 0.272 on the expected confidence" in shown(width=30)


@pytest.mark.parametrize("answers", [{"A": 0.3, "B": 0.7}, None])
def test_an_edge_without_a_confidence_is_shown_without_one(answers):
    edge = {"model": "m", "answer": "B", "answer_probabilities": answers, "confidence_probabilities": None}
    without = {"edge": edge, "confidence": None, "expected_confidence": None}
    text = shown(**without, route="cloud", reason="no_signal")
    assert "from the cloud, no_signal" in text
    assert "edge m: B, without a confidence" in text
    assert ("70.0%" in text) is (answers is not None)
    degraded = shown(**without, degraded=True, reason="cloud_timeout").splitlines()
    assert degraded[2] == "The edge model gives no confidence in this answer, and the cloud did not answer in time."


def test_the_fitted_probability_is_shown_where_the_gateway_says_it():
    text = shown(signal="fitted", signal_value=0.8125)
    assert "from the edge, confident, tau 0.272 on the fitted probability" in text
    assert "fitted probability 0.812" in text
    assert "fitted" not in shown(signal_value=0.4)
    assert "gives no confidence in this answer" in shown(signal="fitted", degraded=True, reason="cloud_timeout"), "an older gateway"
    assert "is not sure of this answer" in shown(signal="fitted", signal_value=0.1, degraded=True, reason="cloud_timeout")
