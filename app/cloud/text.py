"""The options of a question as texts that a reply may repeat: exactly, or in one normal form of both sides.

The normal form leaves out what changes between a model's writing and a caller's without changing the meaning: markup, quotes,
kinds of blanks and dashes, the place of a currency sign, the spelling of a LaTeX fraction. What can change the meaning stays:
`2*3` is not `23`, `__init__` is not `init`, `mW` is not `MW`, `10` is not `10 m`. Two options that are equal in the normal
form are matched by their exact texts only. Everything takes time linear in the length of the text.
"""

import re
import unicodedata

from app.core.question import Question

# Characters that are not seen, in the order of their code points: soft hyphen, zero-width blanks, marks of direction, selectors of emoji.
_UNSEEN = dict.fromkeys([0xAD, 0x200B, 0x200E, 0x200F, 0x2060, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFE0E, 0xFE0F, 0xFEFF])
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        "…": "...",
        "⋅": "·",
        "µ": "μ",
        **{chr(0xFF01 + n): chr(0x21 + n) for n in range(94)},
        **{chr(0x2080 + n): str(n) for n in range(10)},
    }
)
# Composing a run of marks takes time that grows with the square of its length; no letter carries so many.
_MARKS = re.compile(r"[^\w\s\x00-\x7f]{64}")
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_RAISED_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]++")

# In this order, each where one of its characters is there (always without). No pattern can begin again inside of what it has
# looked at in vain, or looks at a bounded piece only.
_REWRITES = tuple(
    (frozenset(needs), re.compile(pattern), replacement)
    for needs, pattern, replacement in (
        ("\\", r"\\%", "%"),
        ("\\", r"\\[()\[\]]", ""),
        ("\\", r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|operatorname|boxed)\{([^{}]{0,300})\}", r"\1"),
        ("\\", r"\\(?:left|right)(?![A-Za-z])", ""),
        ("\\", r"\\[,;:! ]", " "),
        ("\\", r"\\[dt]frac(?![A-Za-z])", r"\\frac"),
        ("\\", r"\\frac\{([^{}]{1,40})\}\{([^{}]{1,40})\}", r"\1/\2"),
        ("\\", r"\\times(?![A-Za-z])", "×"),
        ("\\", r"\\(log|ln|exp|sin|cos|tan|min|max|lim|gcd)(?![A-Za-z])", r"\1"),
        ("\\", r"\\cdot(?![A-Za-z])", "·"),
        ("\\", r"\^\{\\circ\}|\^\\circ(?![A-Za-z])", "°"),
        ("^", r"\^\{([^{}]{1,40})\}", r"^\1"),
        ("*", r"(?<![\w*])\*\*(?=[^\s*])([^*]{1,2000})(?<!\s)\*\*(?![\w*])", r"\1"),
        ("*", r"(?<![\w*\\)])\*(?=[^\s*])([^*]{1,2000})(?<!\s)\*(?![\w*])", r"\1"),
        ("_", r"(?<![\w\\])_(?=[^\W_])([^_]{1,2000})(?<!\s)_(?!\w)", r"\1"),
        ("#", r"^#{1,6} ", ""),
        ("$€£¥₹₸₽", r"(?<=\d) ?([€£¥₹₸₽]|\$(?!\S))(?!\w)", r" \1"),
        ("$€£¥₹₸₽", r"(?<![\w.,])(\d[\d.,]{0,30}) ([$€£¥₹₸₽])", r"\2\1"),
        ("$€£¥₹₸₽", r"([$€£¥₹₸₽]) (?=\d)", r"\1"),
        ("=+*/^<>≤≥≠≈×·÷", r"(?:(?<=[\w)\]}°]) )?(?<![=+*/<>])([=+*/^<>≤≥≠≈×·÷])(?: (?=[\w(\[{\\$.-]))?", r"\1"),
        ("-", r"(?<=\d) ?- ?(?=\d)", "-"),
        ("%°)]}([{", r" (?=[%°)\]}])|(?<=[(\[{]) ", ""),
        (",", r"(?<=[\d)\]]), (?=[\d(\[-])", ","),
        ("", r"  +", " "),
    )
)
_MATHS = re.compile(r"\$([^$]{1,1000})\$(?!\d)")
MAX_OPTION_CHARS = 2_000
# A number with a unit before or behind it.
_MEASURE = re.compile(r"([^\w\s.-]?)([+-]?\d[\d.,]{0,30})( ?[^\d\s].{0,40}|)")
_WORD = re.compile(r"[^\W\d_]++")
# Short words in which capitals mean nothing; in a unit or a symbol they do.
_SMALL_WORDS = ("a an all am and any are as at be both but by for from he her his if in is it its me my nor not no of on or our out she so "
                   "that the their they this to up us was we who with yes you not only none один да нет не и в на")  # fmt: skip
_WORDS = frozenset(_SMALL_WORDS.split())
_QUOTES = {'"': '"', "'": "'"}
# What may follow an option's text: the end, or a sign or word after which something else begins.
_BEHIND = re.compile(
    r"[\"')\]*]{0,4}(?:$|[.!](?=$|[\s\"'*)\]])|[。！]|,? (?:because|since|as)\b|, (?:which|who|where)\b|[,、，] ?(?:因为|因為|так как|потому)|(?P<list>[;:] | - | \()"
    r"(?!(?:or|and|not)\b))",
    re.IGNORECASE,
)


def seen(text: str) -> str:
    """The text in composed form (NFC) without the characters that are not seen."""
    composed = text if _MARKS.search(text) else unicodedata.normalize("NFC", text)
    return composed.translate(_UNSEEN)


def normal(text: str) -> str:
    """The one form in which the texts of a reply and of an option are compared; capitals are folded in words only."""
    plain = _RAISED_RUN.sub(lambda run: "^" + run[0].translate(_RAISED), seen(text)).translate(_ALIKE)
    plain = " ".join(plain.replace("''", '"').split())
    plain = _MATHS.sub(_formula, plain.replace("\\$", "\0").replace("$$", "$")).replace("\0", "$")
    for needs, pattern, replacement in _REWRITES:
        if not needs or not needs.isdisjoint(plain):
            plain = pattern.sub(replacement, plain)
    return _WORD.sub(_fold, _bare(plain))


def _formula(match: re.Match[str]) -> str:
    """What stands between two dollar signs, if they are no prices."""
    inner = match[1]
    prices = inner[0].isspace() or inner[-1].isspace() or (inner[0].isdigit() and " " in inner and not set(inner) & set("\\^_{"))
    return match[0] if prices else inner


def _bare(text: str) -> str:
    """Without the quotes around the whole, and without one full stop at the end."""
    for _ in range(3):
        text = text.strip()
        if text.endswith(".") and not text.endswith(".."):
            text = text[:-1]
        if len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
            text = text[1:-1]
    return text.strip()


def _fold(match: re.Match[str]) -> str:
    word = match[0]
    lower = word.lower()
    if lower in _WORDS:
        return lower
    # AABB and aabb are two genotypes, MHz and mHz two units.
    long = len(word) > 2 and len(set(lower)) > 2  # noqa: PLR2004
    return lower if long and (word.istitle() or word.islower() or (word.isupper() and len(word) > 3)) else word  # noqa: PLR2004


class OptionTexts:
    """The options of one question by their texts; one of over `MAX_OPTION_CHARS` characters by its exact text only.

    Attributes:
        most_chars: how long a text is looked at for an option at its beginning.
    """

    def __init__(self, question: Question) -> None:
        self._exact = dict(zip(question.options, question.letters, strict=True))
        self._forms = {letter: normal(option[:MAX_OPTION_CHARS]) for option, letter in self._exact.items()}
        forms: dict[str, list[str]] = {}
        for option, letter in self._exact.items():
            if len(option) <= MAX_OPTION_CHARS:
                forms.setdefault(self._forms[letter], []).append(letter)
        self._numbers: dict[str, str] = {}
        self._normal = {form: letters[0] for form, letters in forms.items() if form and len(letters) == 1}
        units = [_MEASURE.fullmatch(form) for form in self._normal]
        measures = {(unit[1], unit[3]) for unit in units if unit}
        if len(self._normal) == len(self._exact) and None not in units and len(measures) == 1 and measures != {("", "")}:
            self._numbers = {unit[2]: self._normal[unit[0]] for unit in units if unit}
        self._longest = sorted(self._normal, key=len, reverse=True)
        self.most_chars = 2 * min(max(map(len, question.options)), MAX_OPTION_CHARS) + 200

    def form(self, letter: str) -> str:
        """The normal form of an offered letter's option, or of the beginning of a long one."""
        return self._forms[letter]

    def equal(self, text: str) -> str | None:
        """The letter of the option that this text is, or None."""
        text = " ".join(text.split("\n")).strip()
        return self._exact.get(text) or (self._normal.get(normal(text)) if len(text) <= self.most_chars else None)

    def measured(self, text: str) -> str | None:
        """The letter of the option of which this is the number, where all options are numbers of one unit."""
        return self._numbers.get(normal(text[: self.most_chars]))

    def begins(self, text: str) -> str | None:
        """The letter of the longest option with which this text begins and after which something else does, or None."""
        if exact := self.equal(text):
            return exact
        form = normal(text[: self.most_chars])
        at = int(form[:1] in _QUOTES)
        for option in self._longest:
            if form.startswith(option, at):
                behind = _BEHIND.match(form, at + len(option))
                # `10 (m)` is not `10`, and `Paris - Berlin` not `Paris`.
                if not behind or (behind["list"] and (option[-1].isdigit() or form.startswith(tuple(self._longest), behind.end()))):
                    return None
                return self._normal[option]
        return None

    def shortened(self, text: str) -> set[str]:
        """The letters of the options of which this text is the beginning, as a model writes that shortens them."""
        form = normal(text[: self.most_chars]).removesuffix("...").rstrip()
        return {own for option, own in self._normal.items() if len(form) > 2 and option.startswith(form)}  # noqa: PLR2004
