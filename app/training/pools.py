"""Which question is used for what: the dev split, the calibration buffer, the new rows of each round, and the rows to replay.

Everything follows from the seed. No question of a test file may be trained on: questions are compared by a hash of the
normalised text, so that case, punctuation, Unicode form and the order of the options do not hide a leak.
"""

import hashlib
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.core.errors import ConfigError
from app.core.question import Question
from app.data.dataset import Item, Skipped, load_items
from app.data.readers.mapping import parse_map
from app.training.config import EvolveConfig
from app.training.state import Source


@dataclass(frozen=True, slots=True)
class Pools:
    """The rows of a chain.

    Attributes:
        dev: rows that are never trained on; metrics, gate and tau are computed from them.
        new: new rows of R0 (the calibration buffer) and of each round, in order.
        domain: the domain of each round; None for R0.
        left_out: rows of the training files that are not used, by reason (`license`, `too long`, `no question`).
        skipped: sentences for a person about rows, of test files too, that are no questions.
    """

    dev: tuple[Item, ...]
    new: tuple[tuple[Item, ...], ...]
    domain: tuple[str | None, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def replay(self, number: int, rows: int, seed: int) -> tuple[Item, ...]:
        """Rows of earlier rounds, drawn at random without replacement; all of them where there are fewer than `rows`."""
        seen = [item for earlier in self.new[:number] for item in earlier]
        return tuple(random.Random(f"{seed}|replay|{number}").sample(seen, min(rows, len(seen))))  # noqa: S311  # a split, not a secret


def make_pools(config: EvolveConfig, fits: Callable[[Question], bool] = lambda _: True) -> Pools:
    """Split the training files.

    Args:
        config: files, sizes, seed, and which licences may be used.
        fits: tells whether a question's prompt is short enough; longer ones are left out, and counted.

    Raises:
        ConfigError: a domain without rows, a row of another domain, a row that is too close to a test row (its id is named).
    """
    bad = Skipped() if config.data.skip_bad else None
    test = {text_hash(item.question): item.id for item in (_load(config, config.data.test, bad) if config.data.test else [])}
    left_out: Counter[str] = Counter()
    of_test = bad.total if bad else 0
    rows = {name: _domain_rows(config, name, test, fits, left_out=left_out, bad=bad) for name in config.domains}
    if bad:
        left_out["no question"] = bad.total - of_test
    dev = tuple(item for name in config.domains for item in rows[name][: config.data.dev_rows])
    left = {name: items[config.data.dev_rows :] for name, items in rows.items()}
    trained = [name for name in config.domains if rows[name]]
    buffer: list[Item] = []
    for index, name in enumerate(trained):
        # The buffer is spread evenly; other domains do not make up for what a small domain cannot give.
        size = (config.buffer_rows + len(trained) - 1 - index) // len(trained)
        buffer += left[name][:size]
        left[name] = left[name][size:]
    new: list[tuple[Item, ...]] = [tuple(buffer)]
    domains: list[str | None] = [None]
    for number in range(1, config.rounds + 1):
        name = config.domains[(number - 1) % len(config.domains)]
        rounds_left = len(range(number, config.rounds + 1, len(config.domains)))
        # A small domain is shared among its rounds, so that its last round has rows too.
        size = min(config.new_rows, -(-len(left[name]) // rounds_left))
        new.append(tuple(left[name][:size]))
        left[name] = left[name][size:]
        domains.append(name)
    return Pools(dev, tuple(new), tuple(domains), dict(left_out), tuple(bad.sentences()) if bad else ())


def data_fingerprint(pools: Pools) -> str:
    """12 hex digits of which row is where."""
    parts = [pools.dev, *pools.new]
    text = "\n\n".join("\n".join(f"{item.id} {item.fingerprint}" for item in part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sources_of(pools: Pools) -> list[Source]:
    """Where the trained rows come from, as far as the rows say.

    Of a source `repository@commit path/of/a/file` the first word counts.
    """
    items = [item for part in pools.new for item in part]
    named = [" / ".join(licenses_of(item.license)) for item in items]
    # Files of one source spell it in several ways (CC BY 4.0, CC By 4.0): capitals win, which sort first.
    spelling = {text.casefold(): text for text in sorted(named, reverse=True)}
    counts = Counter(
        (item.question.domain or "", (item.source or "").split(" ")[0], spelling[text.casefold()])
        for item, text in zip(items, named, strict=True)
    )
    return [
        Source(domain=domain, source=source, license=license_text, rows=rows)
        for (domain, source, license_text), rows in sorted(counts.items())
    ]


def text_hash(question: Question) -> str:
    """A hash that is equal for questions that differ only in case, punctuation, blanks, Unicode form or the order of options."""
    parts = [_normal(question.question), *sorted(_normal(option) for option in question.options)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def licenses_of(text: str | None) -> tuple[str, ...]:
    """The licences that a row names: `MIT (the repository) / Apache-2.0 (its card)` → `("MIT", "Apache-2.0")`.

    Remarks in brackets are no licences, `/` and `;` separate several. A row that names none gives `("",)`.
    """
    plain, before = text or "", None
    while plain != before:
        before, plain = plain, re.sub(r"\([^()]*\)", "", plain)
    return tuple(" ".join(part.split()) for part in re.split("[/;]", plain))


def _load(config: EvolveConfig, files: Sequence[str], bad: Skipped | None) -> list[Item]:
    return load_items(files, columns=parse_map(config.data.map), skipped=bad)


def _domain_rows(
    config: EvolveConfig,
    name: str,
    test: Mapping[str, str],
    fits: Callable[[Question], bool],
    *,
    left_out: Counter[str],
    bad: Skipped | None,
) -> Sequence[Item]:
    files = config.data.train.get(name, [])
    if not files:
        if name in config.data.replay_only:
            return []
        raise ConfigError(f"the domain '{name}' has no training files: name some in data.train, or put it into data.replay_only")
    licensed = _load(config, files, bad)
    if config.data.licenses is not None:
        allowed = {name.casefold() for name in config.data.licenses}
        of = len(licensed)
        licensed = [item for item in licensed if {name.casefold() for name in licenses_of(item.license)} <= allowed]
        left_out["license"] += of - len(licensed)
    items = [item for item in licensed if fits(item.question)]
    left_out["too long"] += len(licensed) - len(items)
    for item in items:
        if item.question.domain != name:
            raise ConfigError(f"the row '{item.id}' in the training files of '{name}' is of the domain '{item.question.domain}'")
        if (twin := test.get(text_hash(item.question))) is not None:
            raise ConfigError(f"the training row '{item.id}' is the test row '{twin}': a chain must not train on its test")
    if len(items) <= config.data.dev_rows:
        raise ConfigError(
            f"the domain '{name}' has {len(items)} usable rows, of which data.dev_rows = {config.data.dev_rows} are for the dev split"
        )
    random.Random(f"{config.seed}|{name}").shuffle(items)  # noqa: S311  # a split, not a secret
    return items


def _normal(text: str) -> str:
    """NFKC, lower case, punctuation as blanks; signs such as + and < stay, since they change what is asked."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(" " if unicodedata.category(character).startswith("P") else character for character in folded).split())
