"""What each peer is asked, and how its reply is read; and the file that llama.cpp gets."""

import json

import gguf
import numpy as np
import pytest

from app.bench.peers.foggate import FogGate
from app.bench.peers.gguf_bf16 import as_bf16
from app.bench.peers.llama import Llama
from app.bench.peers.protocol import Asked, PeerUnavailable, Place, chat_ways
from app.bench.peers.table import PEERS
from app.bench.peers.transformers_serve import _choice, _decision
from app.bench.peers.vllm import _cores, _options
from app.core.question import Question
from tests.support.gguf_file import write_gguf

ASKED = Asked(Question("Which?", ("one", "two")), [{"role": "user", "content": "Which?"}], 12)


def place(tmp_path, *, gpu=False, gguf=None):
    return Place(tmp_path, tmp_path, gguf, tmp_path, "float32", 2, gpu=gpu, say=lambda _: None)


def chat(content):
    return json.dumps({"choices": [{"message": {"content": content}}]}).encode()


def test_a_chat_is_asked_for_the_whole_answer_and_for_one_token():
    whole, one = chat_ways("m", {"seed": 1})
    assert whole.body(ASKED) == {"model": "m", "messages": ASKED.messages, "max_tokens": 12, "temperature": 0, "seed": 1}
    assert one.body(ASKED)["max_tokens"] == 1


@pytest.mark.parametrize(
    ("content", "letter"),
    [
        ("Confidence: 0.5\nFinal answer: B", "B"),
        ("Confidence: 0.5\nFinal answer: ", None),
        ("B", None),
        ("Final answer: Both", None),
        (None, None),
    ],
)
def test_an_answer_in_the_format_names_a_letter_and_nothing_else_does(content, letter):
    assert chat_ways("m")[0].letter(chat(content)) == letter


@pytest.mark.parametrize(("content", "letter"), [(" B", "B"), ("Conf", None), ("", None), ("é", None)])
def test_one_token_may_be_a_letter(content, letter):
    assert chat_ways("m")[1].letter(chat(content)) == letter


def test_systemone_is_asked_as_transformers_reads_it():
    decision = pytest.importorskip("transformers.decision", reason="this version of transformers has no decisions")
    body = _decision("m", ASKED)
    (parsed,) = decision.parse_questions(body["questions"], decision.DecisionConfig())
    assert (parsed.options, parsed.descriptions) == (["A", "B"], ["one", "two"])
    answer = parsed.answer([0.25, 0.75]) if hasattr(parsed, "answer") else {"type": "choice", "choice": "B"}
    assert _choice(json.dumps({"answers": {"answer": answer}}).encode()) == "B"


def test_foggate_is_asked_for_the_edges_answer(tmp_path):
    start = FogGate(["--config", "x.yaml"], {"FOGGATE_EDGE__THREADS": "2"}).install(place(tmp_path))
    (way,) = start.ways
    assert way.body(ASKED) == {"question": "Which?", "options": ["one", "two"], "route": "edge"}
    assert way.letter(b'{"answer": "B"}') == "B"
    assert start.command(81)[-4:] == ["--port", "81", "--config", "x.yaml"]
    assert start.environment["FOGGATE_EDGE__THREADS"] == start.environment["OMP_NUM_THREADS"] == "2"


def test_peers_are_known_by_their_names():
    assert list(PEERS) == ["transformers", "transformers-batching", "llama-bf16", "llama-q4", "vllm"]
    assert all(peer.name == name and peer.about for name, peer in PEERS.items())


@pytest.mark.parametrize("name", ["llama-bf16", "llama-q4", "vllm"])
def test_builds_for_the_cpu_are_not_compared_with_a_gpu(tmp_path, name):
    with pytest.raises(PeerUnavailable, match="FogGate computes on a GPU"):
        PEERS[name].install(place(tmp_path, gpu=True, gguf=lambda: tmp_path))


def test_llama_needs_a_gguf_file(tmp_path):
    with pytest.raises(PeerUnavailable, match="only builtin models"):
        Llama(quantised=True).install(place(tmp_path))


@pytest.mark.parametrize(("usable", "threads", "said"), [({0, 1, 2, 3}, 2, "0-1"), ({4, 6, 7}, 2, "4,6"), ({3}, 1, "3-3")])
def test_vllm_is_bound_to_cores_that_may_be_used(usable, threads, said):
    assert _cores(threads, sorted(usable)) == said


def test_vllm_computes_in_foggates_dtype(tmp_path):
    options = _options(place(tmp_path))
    assert options[options.index("--dtype") + 1] == "float32"


def test_foggate_is_asked_many_questions_at_once_and_errors_are_no_answers(tmp_path):
    batch = FogGate().install(place(tmp_path)).batch
    assert batch.body([ASKED, ASKED])["questions"] == [{"question": "Which?", "options": ["one", "two"], "route": "edge"}] * 2
    assert batch.answered(b'{"results": [{"answer": "A"}, {"error": {}}, {"answer": "B"}]}') == 2


def test_a_quantised_file_becomes_the_same_model_in_bf16(tmp_path):
    meant = write_gguf(tmp_path / "q8.gguf")
    as_bf16(tmp_path / "q8.gguf", tmp_path / "bf16.gguf")
    before, after = gguf.GGUFReader(tmp_path / "q8.gguf"), gguf.GGUFReader(tmp_path / "bf16.gguf")
    kept = {name: field.contents() for name, field in before.fields.items() if not name.startswith("GGUF.")}
    now = {name: field.contents() for name, field in after.fields.items() if not name.startswith("GGUF.")}
    assert now.pop("general.file_type") == gguf.LlamaFileType.MOSTLY_BF16
    kept.pop("general.file_type", None)
    assert now == kept
    assert {tensor.name for tensor in after.tensors} == set(meant)
    for tensor in after.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        matrix = meant[tensor.name].ndim > 1
        assert tensor.tensor_type is (gguf.GGMLQuantizationType.BF16 if matrix else gguf.GGMLQuantizationType.F32)
        # bf16 keeps 8 bits of the mantissa.
        np.testing.assert_allclose(values, meant[tensor.name], rtol=2**-8 if matrix else 0)
