"""A letter prior in a calibration file: damage is refused with a sentence, and no gateway serves the file that would leave the prior out."""

import json

import pytest

from app.config.settings import Settings
from app.core.edge import Identity
from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.calibration import read_calibration, write_calibration
from app.data.fitted import FittedModel
from app.edge.builtin import find_builtin
from app.gateway.build import build_policy, calibration_of
from tests.support.fitted import fitted_model
from tests.support.lettered import prior_model

SHIPPED = read_calibration(find_builtin("builtin").calibration)
ROW = [0.4, 0.3, 0.2, 0.1]


def held(**changes):
    """A calibration with a letter prior."""
    return SHIPPED.model_copy(
        update={"version": 3, "signal": Signal.TOP_PROBABILITY, "temperature": 1.0, "domains": {}, "letter_prior": prior_model()} | changes
    )


def damaged(path, **changes):
    """The file with other content in its letter prior, or (`top`) beside it."""
    write_calibration(path, held())
    content = json.loads(path.read_text())
    content |= changes.pop("top", {})
    if content.get("letter_prior"):
        content["letter_prior"] |= changes
    path.write_text(json.dumps(content))
    return path


def test_the_file_is_read_back_whole_and_the_gateway_applies_what_it_holds(tmp_path):
    found = held(letter_prior=prior_model({2: (0.6, 0.4), 4: tuple(ROW)}))
    write_calibration(tmp_path / "c.json", found)
    again = read_calibration(tmp_path / "c.json")
    assert again == found
    assert (again.version, again.prior.by_options) == (3, {2: (0.6, 0.4), 4: tuple(ROW)})
    assert again.summary()["letter_prior"]["by_options"]["4"] == ROW
    for settings in (Settings(policy={"calibration": "c.json"}), Settings(policy={"tau": 0.3})):
        policy = build_policy(settings, again)
        assert policy.letter_prior == again.prior
    fitted = held(signal=Signal.FITTED, fitted=fitted_model())
    assert build_policy(Settings(policy={"calibration": "c.json"}), fitted).letter_prior == again.prior.__class__({4: tuple(ROW)})


def test_a_file_without_a_prior_is_as_earlier_versions_wrote_it(tmp_path):
    write_calibration(tmp_path / "c.json", SHIPPED)
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["version"] == 2
    assert "letter_prior" not in content
    assert "letter_prior" not in SHIPPED.summary()
    assert build_policy(Settings(), SHIPPED).letter_prior is None


def test_an_earlier_version_does_not_take_a_file_with_a_prior(tmp_path):
    """It takes version 2 and the keys of that version only, and would route on distributions that are not corrected."""
    write_calibration(tmp_path / "c.json", held())
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["version"] == 3
    # As this version refuses what it does not know.
    for newer in ({"version": 5}, {"something_new": 1}):
        path = damaged(tmp_path / "c.json", top=newer)
        with pytest.raises(ConfigError, match=next(iter(newer))):
            read_calibration(path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"by_options": {"4": [0.5, 0.4, 0.2, -0.1]}}, "greater than or equal to"),
        ({"by_options": {"4": [0.5, 0.3, 0.2, 0.0]}}, "greater than or equal to"),
        ({"by_options": {"4": [0.5, 0.3, 0.2, float("nan")]}}, "finite number"),
        ({"by_options": {"4": [0.5, 0.3, 0.2, float("inf")]}}, "finite number|less than"),
        ({"by_options": {"4": [0.5, 0.3, 0.2]}}, "the letter prior of 4 options holds 3 numbers"),
        ({"by_options": {"4": [0.4, 0.3, 0.2, 0.2]}}, "the letter prior of 4 options sums to 1.1, not to 1"),
        ({"by_options": {"1": [1.0]}, "n": {"1": 9}}, "a letter prior of 1 options; there are questions of 2 to 26"),
        ({"by_options": {"four": ROW}}, "valid integer"),
        ({"by_options": {}}, "at least 1"),
        ({"n": {"5": 9}}, "different numbers of options"),
        ({"n": {"4": 0}}, "greater than or equal to 1"),
        ({"shrinkage": -1}, "greater than or equal to 0"),
        ({"more": 1}, "more"),
        ({"top": {"version": 2}}, "its version is 2, and it holds a letter prior"),
        ({"top": {"letter_prior": None}}, "its version is 3, and it holds neither numbers of options nor a letter prior"),
        ({"top": {"signal": "verbalized"}}, "whose answer no letter prior changes"),
    ],
)
def test_a_damaged_prior_is_refused_with_a_sentence(tmp_path, changes, says):
    path = damaged(tmp_path / "c.json", **changes)
    with pytest.raises(ConfigError, match=says) as refused:
        read_calibration(path)
    assert str(path) in refused.value.message


def test_a_prior_of_another_edge_or_another_rule_of_reading_is_refused():
    """As the whole calibration is: the preference is that of one model, with one rendering of the prompt."""
    name = f"{SHIPPED.edge_model}+{SHIPPED.edge_adapter}"
    settings = Settings(policy={"calibration": "c.json"})
    ours = Identity(name, SHIPPED.edge_fingerprint, SHIPPED.prompt_fingerprint, frozenset(Signal))
    assert calibration_of(settings, held(), ours) == held()
    for changes, says in [
        ({"edge_model": "other"}, "another edge model"),
        ({"edge_adapter": None}, "another adapter"),
        ({"edge_fingerprint": "0123456789ab"}, "another weights fingerprint"),
        ({"prompt_version": "foggate-0"}, "another prompt version"),
        ({"prompt_fingerprint": "0123456789ab"}, "another rendering of the prompt"),
    ]:
        with pytest.raises(ConfigError, match=says):
            calibration_of(settings, held(**changes), ours)
    with pytest.raises(ConfigError, match=r"edge\.permute is 2, and the calibration was made with 1"):
        calibration_of(Settings(edge={"permute": 2}, policy={"calibration": "c.json"}), held(), ours)


def test_the_model_of_the_fitted_signal_may_stand_beside_it(tmp_path):
    found = held(signal=Signal.FITTED, fitted=fitted_model())
    write_calibration(tmp_path / "c.json", found)
    assert isinstance(read_calibration(tmp_path / "c.json").fitted, FittedModel)
