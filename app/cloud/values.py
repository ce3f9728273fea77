"""Which option a short piece of text names that stands where an answer stands: a letter, an option's text, or both.

A value is an offered letter, `UNCLEAR` (it names something, and not one offered option), or None (it names nothing).
"""

import re

from app.cloud.asked import Asked
from app.cloud.text import OptionTexts, normal, seen
from app.core.question import Question

UNCLEAR = "?"

# Cyrillic and Greek letters that a model uses where a Latin letter is meant: those whose capital looks the same. Б or Д
# names no option.
_LOOK_ALIKES = dict(zip("АВСЕНІЈКМОРЅТХУ" + "ΑΒΕ", "ABCEHIJKMOPSTXY" + "ABE", strict=True))
_LOOK_ALIKES |= {cyrillic.lower(): latin.lower() for cyrillic, latin in list(_LOOK_ALIKES.items())[:15]}
_ALONE = re.compile(rf"(?<!\w)[{''.join(_LOOK_ALIKES)}](?!\w)")
# А Б В Г count the options in an alphabet in which В is the third.
_CYRILLIC_LIST = re.compile(r"(?<!\w)[БГДбгд](?!\w)\s?[).:]")
# Full-width, circled, squared and mathematical letters.
_FORMS = str.maketrans(
    {
        **{chr(start + n): chr(65 + n) for start in (0xFF21, 0x24B6, 0x1F130, 0x1F150, 0x1F170, 0x1D400, 0x1D5D4) for n in range(26)},
        **{chr(start + n): chr(97 + n) for start in (0xFF41, 0x24D0, 0x1D41A) for n in range(26)},
        **dict(zip(map(chr, (0xFF08, 0xFF09, 0xFF1A, 0xFF0E, 0xFF0C, 0x3001)), "():.,,", strict=True)),
    }
)

# What may stand before and behind a letter that is marked up.
OPEN = r"[\s*_`$(\[{<>\"'“«‘「『【|#•→➡✅✔👉☞\ufe0f]*+(?:\\[(\[]\s*+)?(?:\\(?:text|textbf|mathrm|mathbf|boxed)\{[\s*(]*+)?"
CLOSE = r"(?:[*_`$)\]}>\"'”»’」』】|]|\\[)\]])*+"
WORDS = (
    r"(?:(?:option|choice|answer|letter|вариант|нұсқа|буква|选项|選項|選択肢|opción|opção|alternativa|letra|lettre|buchstabe|đáp án)\s*+)?"
)
_ONLY = re.compile(rf"{OPEN}{WORDS}{OPEN}([A-Za-z]){CLOSE}[.,;:!。]?{CLOSE}[\s✅✔✓☑👍🎯\ufe0f]*+\Z", re.IGNORECASE)
_LABEL = re.compile(
    rf"{OPEN}{WORDS}{OPEN}([A-Za-z]){CLOSE}(?:[.):\]。]{CLOSE}|\s?[-–—](?=\s)|(?<=[)\]*])|[,;!]|\s?(?=\()|,?(?=\s+because\b))\s*+(\S.*)\Z",
    re.DOTALL | re.IGNORECASE,
)
JUDGED = re.compile(
    r"\b(?:wrong|incorrect|false|(?<!, )(?:not|no)|isn't|eliminated?|unlikely|ruled|or|mistaken?|misconception|unrelated|irrelevant|trap|tempting|distractor|неверно|неправильно|falsch|falso|incorrecta)\b|错|誤|[✗✘❌×]\s*$",
    re.IGNORECASE,
)
_DESCRIBED = re.compile(r"[\"')*\]]{0,4}(?::|;| -| \()")
# `Paris it is` in one word.
_IT_IS = re.compile(r"(?<=\w)(?:です|である|だ|입니다|이다|이에요|예요|['’][dt][ıiuü]r)[.。!]?\s*\Z")
# What makes the option before it the subject of a sentence, or doubts it.
_SAYS_MORE = re.compile(
    r"(?:is|was|are|were|has|had|can|could|may|might|would|refers?|seems?|but|though|although|however|or|and|est|es|é|ist|war|aber|mais|pero|mas|но|или|а)\b",
    re.IGNORECASE,
)
_COMPOUND = re.compile(
    r"\W*(?:all|none|both|neither|any|each|two|only|more than one) \w|.{0,40}\b(?:[A-E] and [A-E]|the above)\b", re.IGNORECASE
)
ARTICLE = re.compile(r"\A(?:the|an?)\s+(?=\S)", re.IGNORECASE)
# How sure a model says it is.
_SURE = re.compile(
    r"\s?[(\[]\s?(?:confiden\w+:?\s?)?(?:(\d{1,3}(?:[.,]\d{1,3})?\s?%)|high|certain|sure)(?:\s?\w{4,12})?\s?[)\]][.\s]*\Z", re.IGNORECASE
)
_SEPARATOR = re.compile(r"[*_`)\]}>\"'”»]{0,6}\s*(?:[.:,;)\]：，、；．）]|[-–—](?=\s))?[*`]{0,4}\s*")
_THAT_IS = re.compile(r"(?:(?:i\.e\.,?|that is,?|which is|namely|=)\s+)?", re.IGNORECASE)
_BULLET = re.compile(r"[-–*•]\s+")
_LETTER_AT_END = re.compile(
    r",?\s{0,4}(?:\((?:option |choice |answer )?([A-Za-z])\)|(?:→|⇒|->|=>|[-–—:](?=\s)|,(?=\s))\s{0,2}\*{0,2}(?:option |choice |answer )?([A-Z]))[*.!]{0,3}\s{0,4}\Z",
    re.IGNORECASE,
)
_OWN_LETTER = re.compile(
    r"[*_`]{0,3} \(\*{0,2}(?:option |choice |answer )?([A-Z])\*{0,2}\)[*_`]{0,3}(?:([.,!]?\s*\Z|[.!])|(\s?[-–—:,;]))?", re.IGNORECASE
)
_BRACKETED = re.compile(r"\(([^()]{1,500})\)[.*]{0,3}\Z")
_IN_BRACKETS = re.compile(r"[*_`]{0,3}[(（]([^()（）]{1,500})[)）][*_`]{0,3}(?:\s*\Z|[.,;!。，；！](?!\s?[A-Z]\W)|です|입니다|이다|だ)")


def letters_as_latin(text: str) -> str:
    """The text, of the same length, with look-alikes that stand alone and special forms of letters as Latin letters."""
    text = text.translate(_FORMS)
    return text if _CYRILLIC_LIST.search(text) else _ALONE.sub(lambda letter: _LOOK_ALIKES[letter[0]], text)


class Values:
    """Reads values of one question."""

    def __init__(self, question: Question) -> None:
        self.letters = question.letters
        self.texts = OptionTexts(question)
        self._question = question
        self.asked = Asked(question.question)

    def said(self, letter: str, before: str) -> bool:
        """Whether this text ends with the letter's option."""
        own, form = re.escape(self.texts.form(letter).rstrip(".")), normal(before[-self.texts.most_chars :])
        return re.search(rf"(?<!\w){own}(?: \w{{1,20}})?[,;:.\- (*]*\Z", form) is not None

    def asks_with(self, letter: str) -> bool:
        """Whether the question itself says this option's text."""
        return re.search(rf"(?<!\w){re.escape(self.texts.form(letter))}(?!\w)", normal(self._question.question)) is not None

    @property
    def compounds(self) -> set[str]:
        """The letters of the options that speak of others (`All of the above`)."""
        return {letter for letter in self.letters if _COMPOUND.match(self.texts_of(letter))}

    def texts_of(self, letter: str) -> str:
        """The text of an offered letter's option."""
        return self._question.text_of(letter)

    def whole(self, text: str) -> str | None:
        """What a text names that is nothing but an answer: `B`, `(b)`, `Option B`, `B. Paris`, `Paris`."""
        text = seen(text).strip()
        if ending := _IT_IS.search(text, max(0, len(text) - 12)):
            return self.whole(text[: ending.start()])
        by_text = self.texts.equal(text)
        text = text if by_text or not (bullet := _BULLET.match(text)) else text[bullet.end() :]
        latin = letters_as_latin(text)
        if only := _ONLY.match(latin):
            letter = only[1].upper()
            offered = letter in self.letters
            if by_text:
                return by_text if by_text == letter or not offered else UNCLEAR
            return letter if offered else UNCLEAR
        if named := by_text or (None if "\n" in text else self.labelled(text) or self.with_letter(text)):
            return named
        if article := ARTICLE.match(text):
            return self.texts.equal(text[article.end() :])
        sure = _SURE.search(text, max(0, len(text) - 40))
        return self.whole(text[: sure.start()]) if sure and not self.texts.equal(sure[1] or "") else None

    def with_letter(self, text: str) -> str | None:
        """What `Paris (B)` or `Paris → B` names: the letter behind an option's text."""
        line = text[: self.texts.most_chars].split("\n", 1)[0]
        # The pattern begins anew at every blank: it is shown the end of the line only.
        start = max(0, len(line) - 40)
        letter = _LETTER_AT_END.search(line, start)
        by_text = letter and (self.texts.equal(named := line[: letter.start()].strip(" *")) or self.texts.equal(ARTICLE.sub("", named)))
        if not letter or not by_text:
            return None
        # `newton (N)` is a symbol.
        named, symbol = (letter[1] or letter[2]).upper(), letter[1] == line.strip(" *")[:1] and letter[1] not in self.letters
        return by_text if by_text == named or symbol else UNCLEAR

    def labelled(self, text: str) -> str | None:
        """What `B. Paris` or `(B) Paris — because …` names: the letter, if what follows is the option's own text."""
        label = _LABEL.match(letters_as_latin(text))
        if not label or label[1].upper() not in self.letters:
            return None
        letter, rest = label[1].upper(), text[label.start(2) :]
        if self.repeats(letter, rest):
            return letter
        if self.texts.equal(text):
            return None
        if self.texts.begins(rest):
            return UNCLEAR
        return letter if letter in self.texts.shortened(rest) else None

    def repeats(self, letter: str, rest: str) -> bool:
        """Whether this is the text of the letter's option, with nothing behind it in the sentence that judges it wrong."""
        line = rest.split("\n", 1)[0].strip(" *`")[: self.texts.most_chars]
        line = bracketed[1] if (bracketed := _BRACKETED.match(line)) else line
        if self.texts.begins(line) is None:
            line = ARTICLE.sub("", line)
        if rest.strip() == self._question.text_of(letter):
            return True
        if self.texts.begins(line) != letter and not self._explained(letter, line):
            return False
        behind = normal(line)[len(self.texts.form(letter)) :]
        return behind.lstrip("\"')*")[:1] in {".", "!"} or not JUDGED.search(behind[:200])

    def _explained(self, letter: str, line: str) -> bool:
        """Whether this is the option's text and an explanation in brackets, which may begin like another option."""
        form, own = normal(line), self.texts.form(letter)
        behind = form[len(own) :].lstrip("*_`\"'") if form.startswith(own) else ""
        inner = re.match(r" \(([^()]{1,500})\)\Z", behind)
        if inner is None:
            return behind.startswith((", ", "; ")) and not _SAYS_MORE.match(behind, 2) and self.texts.begins(behind[2:]) is None
        return self.texts.equal(inner[1]) is None and not own[-1:].isdigit()

    def begun(self, line: str, *, described: bool = False) -> str | None:
        """What a line names that begins with an option's text, with nothing behind it that judges it wrong.

        Args:
            line: the text to its end, or to the end of a line.
            described: whether the option may be described behind a colon or a dash; not where the line may be the first of what
                is thought of each option (`Berlin: the capital of Germany`).
        """
        letter = self.texts.begins(line)
        if not letter or not self.repeats(letter, line):
            return None
        behind = normal(line[: self.texts.most_chars]).lstrip("\"'")[len(self.texts.form(letter)) :]
        if len(self.texts.form(letter)) > 1 and behind.startswith(". ") and self.texts.begins(behind[2:]) not in {None, letter}:
            return UNCLEAR
        if own := _OWN_LETTER.match(behind):
            # `Dolphin (A) is a mammal` says something else.
            ends = own[2] if self.asked.for_wrong else own[2] or own[3]
            return UNCLEAR if own[1].upper() != letter else letter if ends is not None else None
        return letter if described or not _DESCRIBED.match(behind) else None

    def confirmed(self, letter: str, behind: str) -> bool:
        """Whether what follows a letter is the text of its own option."""
        return self.repeats(letter, text_behind(behind))

    def in_brackets(self, letter: str, behind: str) -> bool:
        """Whether the letter's own text follows it in brackets with no blank between, as in `B(Paris)`."""
        inner = _IN_BRACKETS.match(behind)
        return inner is not None and self.texts.equal(inner[1]) == letter

    def bracketed(self, text: str) -> str | None:
        """What `(Paris)` names, alone in brackets."""
        inner = _BRACKETED.match(text.strip())
        return self.texts.equal(inner[1]) if inner else None


def text_behind(behind: str) -> str:
    """What follows a letter, without the signs between the two and the brackets around it."""
    behind = behind[_SEPARATOR.match(behind).end() :].strip()  # type: ignore[union-attr]  # matches the empty text, too
    behind = behind[_THAT_IS.match(behind).end() :]  # type: ignore[union-attr]
    return bracketed[1] if (bracketed := _BRACKETED.match(behind)) else behind
