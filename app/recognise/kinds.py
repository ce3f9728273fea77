"""Whether the options are of the kind that the question asks for: numbers, times, a yes or no, orders, reasons."""

import re

from app.recognise.asking import Asking

_HOW_MUCH = re.compile(
    r"^\W*(?:(?:for|in|by|at|to|about|approximately|on|of|and|so) ){0,2}how (?:many|much|long|far|old|tall|deep|fast|heavy)\b|\bсколько\b|\b(?:қанша|неше)\b",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"\bwhen (?:was|were|did|is|do|does|are)\b|\b(?:what|which) (?:year|century)\b|\bкогда\b|\bв каком (?:году|веке)\b|\bқашан\b|\b(?:қай|қандай|нешінші) (?:жыл|ғасыр)\w*",
    re.IGNORECASE,
)
_WHY = re.compile(r"^\W*(?:and |but |so )?why\b|^\W*(?:почему|зачем)\b|^\W*неге\b", re.IGNORECASE)
_YES_NO = re.compile(
    r"^\W*(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|had|may|must)\b(?!.{0,200}\bor\b)(?!.{0,200}\b(?:which|what|who|how many|how much)\b)|^\W*(?:верно|правда|можно|есть) ли\b|\b(?:ма|ме|ба|бе|па|пе)\W*$",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|[=√π∞$\\]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|once|twice|none|zero|all|some|hundred|half|twenty|thirty|forty|few|many|more|less|ни одн\w+|од[ин]+\w*|два|две|три|четыре|пять|шесть|семь|восемь|девять|десять|бір\w*|екі\w*|үш\w*|төрт\w*|бес\w*|алты\w*|жеті\w*|сегіз\w*|тоғыз\w*|он\w*|екеу|үшеу|төртеу|бесеу)\b",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\d|\b[IVXХ]{1,5}\b|\b(?:day|days|night|morning|evening|spring|summer|autumn|winter|fall|january|february|march|april|may|june|july|august|september|october|november|december|weeks?|months?|years?|always|never|after|before|during|while|when|if|at|in|as|once|until|век\w*|год\w*|ғасыр\w*|жыл\w*|дәуір\w*|кезең\w*|кейін|бұрын|после|до|весн\w+|летом|зим\w+|осен\w+)\b|\w+(?:та|те|да|де)\W*$",
    re.IGNORECASE,
)
_VERDICT = re.compile(
    r"^\W*(?:yes|no|true|false|always|never|sometimes|maybe|partly|only|both|neither|cannot|can't|there (?:is|are|was)|he|she|it|they|the court|да|нет|верно|неверно|правда|ложь|иә|ия|жоқ|дұрыс|бұрыс)\b|\b(?:relevant|guilty|valid|possible|correct|supported|determined|because|since|if|unless|not)\b",
    re.IGNORECASE,
)
_SEQUENCE = re.compile(
    r"[,→<>;–—]|->| then |\d ?- ?\d|\w-\w-\w|^\W*(?:first|second|third|last|zero|\w+ order)\b|\border\b|\bordered\b", re.IGNORECASE
)
_COMBINED = re.compile(
    r"\b(?:all|none|both|neither|either|only|above|any|and|respectively)\b|,|\b[IVXІХ]+\b|[ⅠⅡⅢⅣ①②③]|\b(?:все|всё|оба|обе|только|ни|и|барлығы|екеуі|бәрі|және|тек)\b| (?:мен|пен|бен) ",
    re.IGNORECASE,
)
_CLOSED = re.compile(
    r"^\W*(?:(?:all|none|any|both|neither|either|each) (?:of )?(?:the )?(?:above|these|them|those|the others?|options|choices|answers)\b.{0,40}|none|both|neither|either|(?:both|neither|either) .{1,60} (?:and|n?or) .{1,60}|"
    r"(?:none|all) of (?:these|them|the above|the options|the listed).{0,30}|[IVX①②③ⅠⅡⅢⅣ]+(?:(?:,| and|,? and|、) ?[IVX①②③ⅠⅡⅢⅣ]+)*(?: only)?|\(i+v?\)(?:(?:,| and|,? and) \(?[iv]+\)?)*(?: only)?|(?:a|b|c|d) (?:and|&) (?:b|c|d|e)(?: only)?|"
    r"(?:true|false)(?:[,;/ ]+(?:true|false))*|yes|no|cannot be determined.{0,60}|not enough information.{0,40}|все (?:перечисленное|перечисленные|ответы|варианты).{0,30}|ни один.{0,40}|нет (?:верного|правильного) .{0,30}|барлығы(?: дұрыс)?|дұрыс жауап жоқ|бәрі дұрыс|иә|жоқ|да|нет)[\s.)]*$",
    re.IGNORECASE,
)
_BOOLEAN = re.compile(
    r"\b(?:yes|no|true|false|in?correct|(?:dis)?agree|(?:in)?valid|(?:ir)?relevant|positive|negative|male|female|(?:in|de)creases?|(?:un)?supported|(?:not )?guilty|иә|ия|жоқ|да|нет|верно|неверно|дұрыс|бұрыс)\b|entailment|contradiction",
    re.IGNORECASE,
)
# How an option goes on with a sentence that stands in front of it.
_CONTINUES = re.compile(
    r"\W*(?:is|are|was|were|has|have|had|can|cannot|could|will|would|should|must|may|might|does|do|did|that|because|by|of|in|at|on|from|with|during|after|before|when|if|not|only|all|usually|always|never|often|inevitably|"
    r"(?:assume?|impl|support|show|indicat|depend|line|lie|rel|struggl|contract|affect|contain|produc|increas|decreas|caus|occur|act|lead|result|requir|provid|prevent|reduc|form|allow|remain|includ|lack|becom|mov|mean|us|influenc|stimulat|inhibit|help|serv|disappear|extend|connect|develop|start|sever|come|go|mak|tak|giv|need|decompos|surviv|contribut|consist|secret)(?:e?s|ies)|rely|struggle|survive|result|raise|lower|slopes?|inhibit|involve|arise|obtains?|overstates?|understates?|showed|advanced|explained|decompose|contract|affect|contain|produce|support|show)\s",
    re.IGNORECASE,
)
_REASON_WORDS, _PHRASE = 2.5, 4


def combine(options: tuple[str, ...]) -> bool:
    """Whether options stand for several things at once (`I and II`, `all of the above`), so that a plural asks for one of them."""
    return _most(_COMBINED, options) or closed(options)


def closed(options: tuple[str, ...]) -> bool:
    """Whether an option exists only where one is to be chosen: `None of the above`, `True`, `II only`."""
    return any(len(option) < 150 and _CLOSED.match(option) for option in options)  # noqa: PLR2004


def complete(options: tuple[str, ...]) -> bool:
    """Whether options begin as the end of a sentence does: `is …`, `causes …`, `because …`."""
    return sum(_CONTINUES.match(option) is not None for option in options) * 2 >= len(options)


def phrases(options: tuple[str, ...]) -> bool:
    """Whether most options have more than one word."""
    return sum(len(option.split()) > 1 for option in options) * 2 > len(options)


def names(options: tuple[str, ...]) -> bool:
    """Whether the options are names of single things: one or two words, and no number."""
    return all(option.count(" ") < 2 and not re.search(r"\d|>", option) for option in options)  # noqa: PLR2004


def plural(options: tuple[str, ...]) -> bool:
    """Whether most options are plurals, so that a plural asks for one of them."""
    return sum(
        option.rstrip(" .").endswith("s") and option.count(" ") < _PHRASE - 1 and " are " not in option for option in options
    ) * 2 >= len(options)


def is_pair(options: tuple[str, ...]) -> bool:
    """Whether there are two items that are no yes and no: questions of examinations with two options nearly always offer a yes and a no."""
    return len(options) == 2 and not any(_BOOLEAN.search(option[:40]) for option in options)  # noqa: PLR2004


def fit(asking: Asking, options: tuple[str, ...]) -> bool:
    """Whether most options can answer the question."""
    spoken = asking.spoken[-400:]
    if not asking.alone:
        return True
    if _HOW_MUCH.search(spoken) and not asking.excludes:
        return _most(_NUMBER, options)
    if _WHEN.search(spoken) and asking.question:
        return _most(_TIME, options)
    if _WHY.search(spoken):
        return sum(len(option.split()) for option in options) >= _REASON_WORDS * len(options)
    if asking.question and _YES_NO.search(spoken):
        return _most(_VERDICT, options, share=1 / 3) or _echoes(spoken, options)
    return not asking.speaks_of_order or _most(_SEQUENCE, options, share=1 / 3)


def _echoes(question: str, options: tuple[str, ...]) -> bool:
    """Whether most options repeat a word of the question, as whole sentences do that answer it."""
    words = {word.lower() for word in re.findall(r"[^\W\d_]{4,}", question)}
    return sum(any(word.lower() in words for word in re.findall(r"[^\W\d_]{4,}", option[:400])) for option in options) * 2 >= len(options)


def figures(options: tuple[str, ...]) -> bool:
    """Whether all options are numbers, with or without a unit."""
    return all(re.match(r"\W{0,3}\d", option) for option in options)


def boolean(options: tuple[str, ...]) -> bool:
    """Whether two options are a yes and a no of some kind."""
    return len(options) <= _PHRASE and all(_BOOLEAN.search(option[:40]) for option in options)


def _most(pattern: re.Pattern[str], options: tuple[str, ...], share: float = 0.5) -> bool:
    return sum(pattern.search(option[:400]) is not None for option in options) >= share * len(options)
