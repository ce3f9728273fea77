"""The text of a reply without what the model thought before it answered.

Known are the tags and marks of the models that think in public. The answer begins behind the last one that closes; closing
marks without an opening one are common (chat templates write the opening one into the prompt), and an opening one without
its end means that the model never came to an answer. Everything takes time linear in the length of the text.
"""

import itertools
import re
from collections.abc import Iterator

from app.cloud.parse import MAX_ANSWER_CHARS

_NAMES = (
    r"think(?:ing)?|thoughts?|reason(?:ing)?|reflect(?:ion)?|analysis|scratch_?pad|rationale|cot|chain[_-]of[_-]thought|"
    r"inner[_-]?(?:monologue|thoughts?)|internal(?:[_-]\w{1,20})?|monologue|antthinking|deliberation|plan(?:ning)?|(?:thinking|thought|reasoning)[_-]process|"
    r"self[_-]?reflection|draft|critique|review|verif(?:y|ication)|steps?|notes|思考|推理|反思"
)
_OPENING = (
    rf"<\s?(?:\w{{1,12}}:)?(?:{_NAMES})(?:\s[^<>]{{0,200}})?>|\[(?:THINK|THINKING|REASONING)\]|◁think▷|"
    r"<\|(?:begin_of_thoughts?|START_THINKING|think|thinking|think(?:ing)?_start|thought_start|inner_prefix)\|>|<\|channel>\s?(?:thought|analysis)|<unused94>|"
    r"<\|im_start\|>\s?think(?:ing)?\b|(?m:^Thinking\.\.\.[ \t]*$)|(?m:^Here is my thought process:)"
)
_CLOSING = (
    rf"<\s?/\s?(?:\w{{1,12}}:)?(?:{_NAMES})\s?>|\[/\s?(?:THINK|THINKING|REASONING)\]|◁/think▷|"
    r"<\|(?:end_of_thoughts?|END_THINKING|/think|/thinking|think(?:ing)?_end|thought_end|inner_suffix)\|>|<channel\|>|<unused95>|"
    r"(?m:^\.\.\.done thinking\.)|(?m:^Here is my response:)"
)
_MARKS = re.compile(rf"(?P<opens>{_OPENING})|(?P<closes>{_CLOSING})|(?P<fence>```[ \t]*(?:{_NAMES})\b[^\n`]{{0,40}}\n)", re.IGNORECASE)
# Every alternative begins with one of five signs that have no case, and so does this pattern: only then does `re` look for the signs
# without trying the whole pattern at each character, ten times as fast (and it holds the interpreter's lock meanwhile). Of a run of one
# sign only the end can begin a mark; a run that begins none is passed over as a whole.
_MARK_BEGINS = re.compile(
    r"[<\[◁`\n](?:(?<=<)<*+|(?<=\[)\[*+|(?<=◁)◁*+|(?<=`)`*+|(?<=\n)(?=(?i:thinking\.\.\.|\.\.\.done|here is my )))"
    r"(?:(?:(?<=<)(?=[\s\w/|])|(?<=\[)(?=[/trTR])|(?<=◁)(?=[/tT])|(?<=`)(?=[ \t\w])|(?<=\n))(?P<mark>)|)"
)
_SIGNS_OF_A_MARK = {"`": 3, "\n": 0}
# A model that thinks writes a few.
_MAX_MARKS = 10_000

# Harmony, the format of gpt-oss: with its marks, and as servers leave it that drop special tokens.
_CHANNEL = re.compile(r"<\|channel\|>\s{0,3}(\w{0,20})[^<]{0,200}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>|<\|channel\|>")
_CHANNEL_MARK = "<|channel|>"
_SPOKEN_CHANNEL = re.compile(r"\A\s*(?:assistant)?(?:analysis|commentary)(?=[^\sa-z:.,*-])")
_SPOKEN_FINAL = "assistantfinal"

# A turn ends with one of these; what a server lets through behind it is another turn, of nobody.
_TURN_ENDS = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|end|return|call|endoftext|end_of_text|END_OF_TURN_TOKEN|END_RESPONSE|end_of_solution|im_start|start|"
    r"start_header_id|user|assistant|system)\|>|</s>|<end_of_turn>|<start_of_turn>|<eos>|<EOS_TOKEN>|<\uff5cend\u2581of\u2581sentence\uff5c>|\[/?INST\]"
)
_LEADING = re.compile(r"(?:\s*(?:<\|(?!begin_of_box)[\w▁]{1,40}\|>|<s>|<bos>))*+\s*")


# Tags that are no thoughts: of answers, and of the markup that models write.
_PLAIN = (
    r"answer|final[_-]?answer|final|output|response|reply|result|solution|choice|letter|option|root|xml|html|head|body|title|div|span|p|b|i|u|em|strong|"
    r"br|hr|code|pre|h[1-6]|ul|ol|li|table|tr|td|th|sub|sup|math|details|summary|center|font|blockquote|a|s|bos|eos|EOS_TOKEN|[a-z]"
)
_UNKNOWN = re.compile(
    rf"\A\s*(?:<(?!(?:{_PLAIN})\b)([^\W\d][\w:-]{{2,30}})(?:\s[^<>]{{0,200}})?>|\[(?!INST)([A-Z_]{{4,30}})\])", re.IGNORECASE
)


def without_thoughts(text: str) -> str | None:
    """The text behind the model's thoughts, up to the end of its turn; None where there is a thought that does not end."""
    answer = _behind_channels(text)
    if answer is None:
        return None
    answer = _behind_marks(answer)
    if answer is None:
        return None
    answer = answer[_LEADING.match(answer).end() :]  # type: ignore[union-attr]  # matches the empty text, too
    # A turn that ends further behind is too long to be an answer, with its end or without.
    ends = _TURN_ENDS.search(answer, 0, MAX_ANSWER_CHARS)
    return (answer[: ends.start()] if ends else answer).strip()


def _behind_channels(text: str) -> str | None:
    begins = None
    # Searched for as plain text first, which is many times as fast.
    for channel in _CHANNEL.finditer(text) if _CHANNEL_MARK in text else ():
        begins = channel.end() if channel[1] == "final" else -1
    if begins is not None:
        return None if begins < 0 else text[begins:]
    if _SPOKEN_FINAL in text and _SPOKEN_CHANNEL.match(text):
        return text.rpartition(_SPOKEN_FINAL)[2]
    return None if _SPOKEN_CHANNEL.match(text) else text


def _behind_marks(text: str) -> str | None:
    depth = begins = 0
    for number, mark in enumerate(_marks(text)):
        if number == _MAX_MARKS:
            return None
        if mark["opens"]:
            depth += 1
        elif mark["closes"]:
            depth, begins = max(0, depth - 1), mark.end()
        elif mark.start() >= begins:
            end = text.find("```", mark.end())
            if end < 0:
                return None
            begins = end + 3
    return None if depth else _behind_unknown(text[begins:])


def _marks(text: str) -> Iterator[re.Match[str]]:
    """The marks in their order, none inside of another. A text without them is passed over in one quick search."""
    at = 0
    places = (found.end() - _SIGNS_OF_A_MARK.get(found[0][0], 1) for found in _MARK_BEGINS.finditer(text) if found["mark"] is not None)
    for place in itertools.chain((0,), places):
        if place >= at and (mark := _MARKS.match(text, place)):
            yield mark
            at = mark.end()


def _behind_unknown(text: str) -> str | None:
    """The text behind a block at its beginning in a tag that is not known: whatever that is, it is not the answer."""
    opening = _UNKNOWN.match(text)
    if not opening:
        return text
    closing = f"</{opening[1]}>" if opening[1] else f"[/{opening[2]}]"
    end = text.lower().rfind(closing.lower())
    return None if end < 0 else text[end + len(closing) :]
