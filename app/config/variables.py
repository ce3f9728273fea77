"""Variables that begin with FOGGATE_: which are settings, which are misspelt, and which belong to other tools."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence

from app.config.environment import CALLER_KEY, CONFIG_FILE, given, is_of_orchestrator
from app.config.settings import Settings
from app.config.tree import ANY_NAME, PREFIX, Kind, env_name, nodes
from app.core.errors import ConfigError

# How a name that the user chooses stands in the name of a variable.
_ANY_NAME = ANY_NAME.upper()
# Two names at least this similar are one name and its misspelling.
_NEARLY = 0.8
# What people write for FOGGATE_CONFIG, in addition to names that are similar to it.
_CONFIG_FILE = re.compile(CONFIG_FILE.removesuffix("IG") + r"(IG(URATION)?)?(_?(FILE|PATH|YAML|YML))?")


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Names that begin with FOGGATE_ and neither belong to a setting nor resemble one: they belong to other tools.

    Args:
        environment: all variables, by their names.

    Raises:
        ConfigError: a variable was meant for the gateway and is misspelt (with the closest valid name), or a setting is set by two
            variables that differ only in case.
    """
    settings = [node for node in nodes(Settings) if node.is_setting]
    valid = [env_name(node.path) for node in settings]
    open_ended = {env_name(node.path) for node in settings if node.kind in {Kind.TEXTS, Kind.FREE}}
    left_alone, seen = [], dict[str, str]()
    for name, value in given(environment).items():
        upper = name.upper()
        if upper in {CALLER_KEY, CONFIG_FILE}:
            continue
        if _is_setting(upper, valid, open_ended):
            if upper in seen:
                raise ConfigError(f"the environment variables {seen[upper]} and {name} set the same thing; keep one of them")
            seen[upper] = name
        elif is_of_orchestrator(name, value):
            continue
        elif (close := _closest(upper, valid)) or "__" in upper:
            raise ConfigError(f"unknown environment variable {name}" + (f"; did you mean {close}?" if close else ""))
        else:
            left_alone.append(name)
    return left_alone


def _is_setting(name: str, valid: Sequence[str], open_ended: Collection[str]) -> bool:
    """Whether a variable names a setting, a section (as JSON), or an entry under a name that the user chooses.

    Args:
        name: name of the variable, in capitals.
        valid: names of the variables of all settings.
        open_ended: those of them whose values are mappings: an entry of one has more parts in its name.
    """
    parts = name.split("__")
    for full in valid:
        wanted = full.split("__")
        fits = len(parts) <= len(wanted) or full in open_ended
        if fits and all(part == one or (one == _ANY_NAME and part) for part, one in zip(parts, wanted, strict=False)):
            return True
    return False


def _closest(name: str, valid: Sequence[str]) -> str | None:
    """The valid name that was probably meant: nearly the same, or the end of one (`FOGGATE_TAU`); underscores do not count."""
    if _CONFIG_FILE.fullmatch(name):
        return CONFIG_FILE
    # A name that the user chooses is shown as they wrote it.
    names = [_with_given_names(name, full) for full in valid]
    # Two underscores say that a setting is meant.
    cutoff = 0.6 if "__" in name.removeprefix(PREFIX) else 0.8
    close = difflib.get_close_matches(_letters(name), plain := [_letters(full) for full in names], 1, cutoff=cutoff)
    if close:
        return names[plain.index(close[0])]
    for full in names:
        parts = full.removeprefix(PREFIX).split("__")
        if difflib.SequenceMatcher(None, _letters(name), _letters(parts[-1])).ratio() >= _NEARLY:
            return full
    return None


def _letters(name: str) -> str:
    return name.removeprefix(PREFIX).replace("_", "")


def _with_given_names(name: str, full: str) -> str:
    parts = name.split("__")
    return "__".join(
        parts[place] if wanted == _ANY_NAME and place < len(parts) else wanted for place, wanted in enumerate(full.split("__"))
    )
