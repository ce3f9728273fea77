"""The words behind which an answer stands (`The correct answer is …`, `Ответ: …`, `答案是…`), and what takes them back.

Every pattern is bounded: a repetition is possessive, or counts.
"""

import re

_IS = r"\b(?:is|was|would\s+be|should\s+be|must\s+be|has\s+to\s+be|will\s+be|remains|would\s+therefore\s+be|must\s+therefore\s+be)\b\s*+:?"
_SIGN = r"(?:[:：=|]|→|->|=>|[-–—](?=\s))"
_MARKS = r"[*_`\"'”»)\]】」]{0,6}\s?"
_DEGREE = (
    r"(?:\s*+\b(?:therefore|thus|then|hence|clearly|definitely|indeed|(?:most\s+)?likely|most\s+probably|probably|simply|obviously|still|"
    r"the\s+following|as\s+follows)\b\s?:?)?"
)
# It ends where a sign or one of the verbs can follow, which is looked at before either is tried.
_ABOUT = (
    r"(?:\s+(?:to|for|of|here|among|from|in|on|(?:that|which)(?:\s+(?:is|are|was|were)\b)?+)\b[^.,;:!?\n]{0,80}?(?=[\W_]|(?<=\W)[iwsmhr]))?"
)
_THAT = _ABOUT.replace("to|for|of|here|among|from|in|on|", "").removesuffix("?")
# A capital behind which nothing of its sentence follows; the same where it ends the text; and any capital that is no word.
_LAST = r"[*_`(\[\"'“$]{0,4}(?:option\s|choice\s|answer\s|letter\s)?[*(\[]{0,4}(?-i:[A-HJ-Z])[)\].*\"'”$]{0,5}"
_STANDS = rf"(?={_LAST}(?:[!,;]|(?<=\.)\s|\s*(?:\Z|\n)|\s(?:because|since|[(–—-])))"
_ENDS_TEXT = rf"(?={_LAST}!?\s*\Z)"
_CAPITAL = r"(?=\s*[*_`(\[\"'“$]{0,4}(?:option\s|letter\s|вариант\s)?[*(\[]{0,4}(?-i:[A-Z])(?![\w'’]))"
_BEST = (
    r"(?:correct|right|best|strongest|final|closest|likely|probable|appropriate|suitable|accurate|reasonable|plausible|logical|fitting|persuasive|"
    r"convincing|consistent|proper|true|only\s+correct|chosen|selected)"
)
_LEADS = {
    "en": rf"(?:(?:final|correct)_)?answer{_ABOUT}{_MARKS}\s*(?:{_IS}|{_SIGN}|\([^()\n]{{0,40}}\)\s?[:：]){_DEGREE}|ans(?=\s?[:.=])\.?\s?[:=]?|"
    rf"(?<=final )answer(?=\s+\W{{0,4}}[A-Z](?:\W{{0,4}}(?:\Z|\n)|[).:]\s))",
    "en line": r"(?m:^)[*_>#-]{0,6}\s?(?:option|choice|letter|selection|selected|solution|pick)[*_]{0,3}\s?:|"
    rf"(?m:^)[*_>#-]{{0,6}}\s?(?:correct|result|response|conclusion|in\s+conclusion|verdict|(?:in\s+)?summary|decision|output|(?:my|final)\s+(?:pick|choice|verdict|selection))[*_]{{0,3}}\s?[:：][*_]{{0,3}}\s?{_STANDS}",
    "en end": r"(?:therefore|thus|hence|so),?\s+(?:it(?:['’]s|\s+is|\s+must\s+be)|this\s+(?:is|corresponds\s+to|matches)|we\s+(?:choose|select|pick))(?=\W{0,4}(?:option|choice|\(?[A-Z]\b))|"
    r"(?m:^)(?:(?:therefore|thus|hence)[,:]?|it(?:['’]s|\s+is))\s+(?=[*(]{0,4}(?:option\s)?[*(]{0,4}(?-i:[A-HJ-Z])[).*]{0,4}\s*\Z)|"
    rf"(?m:^)most\s+likely,?\s+(?=the\s)|(?m:^)most\s+likely,?\s+{_STANDS}|(?<=,\s)(?:therefore|thus|hence),?\s+{_ENDS_TEXT}|(?:(?m:^)|(?<=[.!]\s))(?:therefore|thus|hence|definitely|clearly|obviously|certainly|it['’]s)[,:]?\s+{_ENDS_TEXT}|"
    rf"(?:i\.e\.,?|that\s+is,|namely|(?:which|this|that)(?:\s+(?:is|would\s+be|corresponds\s+to|matches(?:\s+with)?)|['’]s)|corresponding\s+to|matching|(?:(?:that|this|which)\s+leaves|leaving)(?:\s+us\s+with)?(?:\s+only)?)\s+"
    rf"(?=[*(]{{0,4}}(?:option|choice|answer|letter)\s){_ENDS_TEXT}|(?:that|this|which)\s+leaves(?:\s+us\s+with)?(?:\s+only)?\s+{_ENDS_TEXT}",
    "en option": rf"{_BEST}\s+(?:option|choice|response|letter|argument|conclusion|alternative|match|one|statement){_ABOUT}{_MARKS}\s*(?:{_IS}|{_SIGN}){_DEGREE}",
    "en choice": rf"(?:exception|odd\s+one\s+out){_MARKS}\s*(?:{_IS}|{_SIGN})|(?:false|untrue|incorrect)\s+(?:statement|one|option|sentence){_ABOUT}{_MARKS}\s*(?:{_IS}|{_SIGN})|(?:(?:option|choice|letter)(?:\s+letter)?{_ABOUT}|(?:statement|one|item){_THAT}|(?<=my\s)(?:pick|selection|verdict|vote)){_MARKS}\s*{_IS}{_DEGREE}{_CAPITAL}",
    "en verb": r"(?:I|we)(?:\s+(?:would|will)|['’](?:d|ll))?\s+(?:choose|select|pick|go\s+with|answer|vote\s+for)\s*:?|"
    r"(?:I|we)(?:['’](?:m|re)|\s+(?:am|are))\s+(?:going\s+with|choosing|selecting|picking)|"
    rf"(?:(?m:^)|(?<=[.!]\s))(?:choose|select|pick|go\s+with)\s+{_STANDS}",
    "verb": r"(?:выбираю|выберу|elijo|escojo|escolho|scelgo|(?:je\s+choisis|il\s+faut\s+choisir)(?:\s+la\s+réponse)?|ich\s+wähle)\s*:?",
    "ru": rf"(?:неверн\w{{1,3}}|ложн\w{{1,3}})\s+(?:является\s+)?(?:утверждение\s+)?{_CAPITAL}|(?:ответ(?:ом)?|(?:правильн|верн)\w{{2,4}}\s+вариант(?:\s+ответа)?)(?:\s+(?:является|будет|это))?{_MARKS}\s*(?:{_SIGN}|(?<=является)|(?<=будет)|(?<=это))|(?m:^)(?:это|верно|правильно)(?=:?\s+(?:вариант\s+)?\W{{0,4}}(?-i:[A-Z])(?:\W|\Z))(?:\s?:)?|ответ\s+{_STANDS}|(?:правильным|верным)\s+(?:является|будет){_CAPITAL}",
    "uk": rf"відповідь\s+{_STANDS}|правильний\s+варіант{_MARKS}\s*(?:є|{_SIGN})|відповідь(?:\s+є)?{_MARKS}\s*(?:{_SIGN}|(?<=є))",
    "kk": rf"(?:жауа(?:п|бы|бым|птың)|дұрыс\s+нұсқа(?:сы)?){_MARKS}(?:\s*{_SIGN}|\s(?=[A-Z]\b))",
    "ky uz": rf"(?:жооп|javob){_MARKS}\s*{_SIGN}",
    "zh": rf"(?:答案|正[确確]的?选项|正確的?選項)(?:应该|應該|应|應)?{_MARKS}\s*(?:是|为|為|选|選|{_SIGN})\s*{_SIGN}?|【(?:正确|正確|参考)?答案】",
    "zh verb": r"(?:(?<![不没别勿误错])(?<!可能)(?:故|应该?|應該?|因此|所以|本题|最终|我)|(?m:^)[ \t*]{0,4}|(?<=[，,。；;])\s?)(?:选|選)(?:择|擇)?\s*[:：]?",
    "ja": rf"(?<!不)(?:正解|正答|答え|解答|回答){_MARKS}\s*(?:は|{_SIGN})\s*{_SIGN}?",
    "ko": rf"(?<!오)(?:정답|답변|답){_MARKS}\s*(?:은|는|이|{_SIGN})\s*{_SIGN}?",
    "de": rf"(?:Antwort|Lösung|richtige\s+Option){_MARKS}\s*(?:(?:ist|lautet|wäre)\b(?:\s+(?:also|daher|somit))?\s*:?|{_SIGN})|(?:somit|daher|also|damit|folglich|deshalb)\s+ist\s+(?:die\s+)?(?:richtige\s+)?(?:Antwort|Option)\s+{_STANDS}|(?:richtig|korrekt)\s+(?:ist|wäre)(?:\s+(?:also|daher|somit|die|Antwort|Option))*+\s*:?{_CAPITAL}",
    "fr": rf"(?:c['’]est|il\s+s['’]agit\s+de)\s+(?:donc\s+)?(?:la\s+réponse|l['’]option|la\s+lettre)\s+{_STANDS}|(?m:^)réponse\s+{_STANDS}|réponse(?:\s+(?:correcte|exacte|finale|juste))?{_MARKS}\s*(?:est\b(?:\s+(?:la|donc)){{0,2}}\s*:?|{_SIGN})",
    "es": rf"(?m:^)es\s+la\s+{_STANDS}|(?:respuesta|opción|alternativa|letra|(?<=la\s)correcta)(?:\s+(?:correcta|final))?{_MARKS}\s*(?:es\b(?:\s+la)?\s*:?|{_SIGN})",
    "pt": rf"(?:resposta|alternativa|opção|gabarito)(?:\s+(?:correta|certa|final))?{_MARKS}\s*(?:é(?!\w)(?:\s+a(?=\s+(?:letra|opção|alternativa|[B-Z]\b)))?\s*:?|{_SIGN})",
    "it": rf"(?:risposta|opzione|alternativa|lettera)(?:\s+(?:corretta|esatta|giusta|finale))?{_MARKS}\s*(?:è(?!\w)(?:\s+la)?\s*:?|{_SIGN})",
    "tr": rf"(?:cevap|yanıt|doğru\s+seçenek){_MARKS}(?:\s*{_SIGN}|\s(?=[*(]{{0,4}}(?-i:[A-Z])\b))",
    "pl cs nl sv ro": rf"(?:odpowiedź|odpověď|antwoord|svar(?:et)?|răspuns(?:ul)?(?:\s+corect)?|válasz){_MARKS}\s*(?:(?:to|je|is|är|este)\b\s*:?|{_SIGN})",
    "vi id": rf"chọn(?:\s+đáp\s+án)?\s+{_STANDS}|(?:đáp\s+án|câu\s+trả\s+lời|jawaban(?:nya)?)(?:\s+(?:đúng|chính\s+xác|cuối\s+cùng|yang\s+(?:benar|tepat)))?{_MARKS}\s*(?:(?:là|adalah)\b\s*:?|{_SIGN})",
    "ar hi": rf"(?:الإجابة|الجواب|الخيار|उत्तर|जवाब|پاسخ)(?:\s+(?:الصحيحة|الصحيح|النهائية|صحیح))?{_MARKS}\s*(?:(?:هي|هو|है)\b\s*:?|{_SIGN})",
}
# Between the words and the answer there may be a word for "option".
_LETTER_WORD = (
    r"(?P<word>\s*+(?:option|choice|answer|letter|number|вариант|буква|нұсқа|选项|選項|la\s+opción|opción|a\s+opção|a\s+letra|a\s+alternativa|letra|l['’]option|"
    r"la\s+lettre|Buchstabe|Option|lựa\s+chọn|الخيار|الحرف)\b\s?:?)?"
)
# Most characters begin none of these words; this is looked at before any of them is tried.
_BEGINS = r"(?:(?=[\w*>#【-])|(?=[^\S\n])(?:(?m:^)|(?<=[，,。；;])))"
HEADS = re.compile(
    rf"{_BEGINS}(?:(?<![\w\\])(?:{'|'.join(_LEADS.values())}){_LETTER_WORD}|(?=[^\x00-\x7f]|(?m:^)|(?<=[，,。；;]))(?:{_LEADS['zh']}|{_LEADS['zh verb']}|{_LEADS['ja']}|{_LEADS['ko']}))",
    re.IGNORECASE,
)

# The word before the head: any other may turn its meaning (`wrong answer: A`, `your answer is A`).
_BEFORE = re.compile(
    r"(?:^|[^\w\s]\s*|\n\s*|(?<!\w)_{1,3}|(?:final|correct|my|best)_|(?<![\w'’])(?:the|my|our|this|its?|a|so|thus|therefore|hence|and|then|that|is|final|finally|correct|right|best|"
    r"only|true|actual|single|strongest|most|likely|probable|appropriate|suitable|accurate|reasonable|plausible|logical|fitting|proper|official|expected|"
    r"overall|means|gives|"
    r"итоговый|окончательный|финальный|правильный|верный|правильным|верным|правильна|остаточна|мой|я|это|что|значит|итак|следовательно|поэтому|тогда|дұрыс|соңғы|ақырғы|менің|қорытынды|сондықтан|демек|отже|туура|to['’‘]g['’‘]ri|"
    r"die|der|das|selected|chosen|richtige|korrekte|endgültige|finale|letzte|meine|also|la|le|bonne|ma|donc|mi|a|minha|correta|risposta|doğru|nihai|vậy|nên|poprawna|prawidłowa|ostateczna|"
    r"správná|het|juiste|correcte|rätt|rätta|helyes|सही|अंतिम|فإن|إذن|لذلك|لذا|هي)\s+)\Z",
    re.IGNORECASE,
)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CJK_DENIAL = re.compile("[不非误誤错錯没]|可能|오답|아닌|有人|有些|有的|学生|學生|同学|别人")

_SENTENCE = re.compile(r"(?:(?<!\be\.g)(?<!\bi\.e)[.!?](?=\s)|[。！？\n])")
_RESET = re.compile(
    r"\b(?:so|therefore|thus|hence|consequently)\b|因此|所以|поэтому|значит|donc\b|daher\b|por\s+(?:lo\s+)?tanto", re.IGNORECASE
)
_CLAUSE = re.compile(r"[,;:—–]")
_SUPPOSED = re.compile(
    r"\A\W*(?:maybe|perhaps|possibly|vielleicht|peut-être|quizás?|talvez|возможно|может\s+быть|наверное|вероятно|belki|мүмкін|forse)\b|\bне\s+(?:думаю|считаю|уверен\w*)|\bвряд\s+ли|сомнева|\b(?:glaube|denke)\s+nicht|\b(?:don['’]t\s+(?:think|believe)|doubt)\b|\b(?:according\s+to\s+(?:some|many|most|others|critics|an?|one)|opinion|glance|naive\w*|intuition|examples?|e\.g|instance|format|template|(?:reply|respond|answer)\s+with|if|suppose|supposing|assum\w+|unless|whether|had|imagine|were|wenn|falls|si|se|если|егер)\b|有人|有些人|如果|假[设設]|若|もし|만약",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\bleast\s+\w+\s*\Z|\b(?:not|\w+n['’]t|never|no|opposite|contrary|instead\s+of|other\s+than|rather\s+than|unlike|neither|nor|cannot|might|may|could|someone|somebody|some|people|students?|many|often|common\w*|usual\w*|wrong\w*|"
    r"incorrect\w*|mistak\w+|false\w*|doubt\w*|tempt\w+|claim\w*|said|says?|saying|wrote|writes?|initial\w*|at\s+first|previous\w*|earlier|users?|why|asks?|asked|"
    r"unclear|unsure|thought|whether|example|не|нельзя|возможно|maybe|perhaps|nicht|kein\w*|vielleicht|könnte|pas|peut-être|não|talvez|quizás|емес|değil|non|forse)\b|"
    r"不|可能|错|誤",
    re.IGNORECASE,
)
_CONTEXT = 240
_FINAL = re.compile(
    r"\b(?:final|итоговый|окончательный|финальный|соңғы|endgültige|definitiva|finale)\W{1,4}\w{0,4}\Z|(?:最终|最終|최종)\W{0,4}\w{0,4}\Z",
    re.IGNORECASE,
)

# Heads that point at what was said before them, and what makes that no answer of the writer's own.
_ASIDE = re.compile(r"(?:i\.e|namely|which|this|that|corresponding|matching|leav(?:es|ing))\b", re.IGNORECASE)
_MISLEADS = re.compile(
    r"\b(?:thoughts?|first|initial\w*|guess\w*|instinct\w*|tempting|confus\w+|mistak\w+|errors?|wrong\w*|incorrect\w*|traps?|tempt\w+|distractor|common\w*|many|some|if|would|people|students?|while|whereas)\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(r"(?:i\.e|namely|which|this|that|corresponding|matching)\b(?!.*leaves)", re.IGNORECASE)
_OF_OTHERS = re.compile(r"\b(?:your?|yours|student\w*|think|doubt\w*)\b", re.IGNORECASE)
_MY_WORDS = re.compile(r"\bI(?:['’]d|\s+would|\s+can)(?:\s+\w+ly)?\s+say\b", re.IGNORECASE)

# What a model writes when it takes back what it wrote before.
_START = r"(?:^|[.!?…—–\n,;:(*。，]\s{0,3}+|\.\.\.\s?+)(?:(?:but|oh,?|hmm+,?|ah,?|no,?)\s++)?(?=\w)"
_REGRETS = (
    r"wait\b|hold on\b|hmm+\b|actually\b(?!\s+(?:is|are|was|were))|no(?=[,.!]|\s+wait)|oops\b|scratch that|on (?:second thought|reflection|closer)|"
    r"correction:|edit:|sorry\b|(?:i )?apologi[sz]|apologies|my (?:mistake|bad)\b|i (?:made|was) (?:a mistake|an error|wrong|mistaken)|"
    r"let me (?:re-?\w+|double|correct|fix|think again|look again)|let['’]s (?:re-?\w+|double)|never ?mind|i take (?:that|it) back|"
    r"i need to (?:correct|revise)|that['’]?s? (?:is )?(?:wrong|not right|incorrect|a mistake)|strike that|(?:just |only )?(?:kidding|joking)\b|make that\b|i mean\b|i meant\b|"
    r"нет,|подожд|погод|стоп\b|точнее,|извин|等等|不对|不對|抱歉|更正|warte\b|moment(?: mal|,|\.\.)|nein,|attend(?:s|ez)\b|espera\b|aguarde|잠깐|待って|いや"
)
# Another option is said to be as good.
_RIVAL = (
    r"change my answer|(?:could|may|might|can) also be (?:correct|right|true|valid|acceptable|the answer|option|[(*]{0,3}[A-Z](?![\w'’]))|"
    r"(?:[(*]{0,3}+\b[A-Z]\b[)*]{0,3}|\bit|this one|that option) (?:is|could|may|might|can|would)(?: be)? also (?:be )?(?:correct|right|acceptable|valid|possible)|"
    r"equally (?:correct|valid|good|right)"
)
TAKEN_BACK = re.compile(rf"{_START}(?:{_REGRETS})|{_RIVAL}", re.IGNORECASE)


def is_final(text: str, start: int) -> bool:
    """Whether the head that starts here says that what follows is final."""
    return bool(_FINAL.search(text[max(0, start - 20) : start + 4]))


def is_asserted(text: str, start: int) -> bool:
    """Whether the claim whose head starts here is the writer's own: not denied, supposed, quoted or reported."""
    before = text[max(0, start - _CONTEXT) : start]
    sentence = _SENTENCE.split(before)[-1]
    if _CJK.match(text, start):
        own = _RESET.split(sentence)[-1]
        return not (_SUPPOSED.search(own) or _CJK_DENIAL.search(re.split("[，,、；：]", own)[-1]))
    if not _BEFORE.search(text[max(0, start - 40) : start]) and not (start == 0 or text[start - 1 : start] == "\n"):
        return False
    own = _MY_WORDS.sub("", _RESET.split(sentence)[-1])
    clause = _CLAUSE.split(own)[-1]
    if _ASIDE.match(text, start):
        clause = own
        if _MISLEADS.search(" ".join(_SENTENCE.split(before)[-2:])):
            return False
    return not (_SUPPOSED.search(own) or _DENIED.search(clause) or is_quoted(text, start))


def is_denied(before: str) -> bool:
    """Whether the words before a claim in its sentence deny it, suppose it, or report it of somebody else."""
    return bool(_SUPPOSED.search(before) or _DENIED.search(_CLAUSE.split(before)[-1]) or _OF_OTHERS.search(before))


def points_back(head: str) -> bool:
    """Whether the head refers to an option's text before it, as `which is` does."""
    return bool(_POINTS_BACK.match(head))


def is_quoted(text: str, start: int) -> bool:
    """Whether a quotation is open here that is only a part of its line."""
    begin = text.rfind("\n", max(0, start - 1_000), start) + 1
    end = text.find("\n", start, start + 1_000)
    before, behind = text[begin:start], text[start : start + 1_000 if end < 0 else end]
    for opening, closing in ('""', "“”", "«»", "„“", "「」"):
        is_open = before.count(opening) % 2 if opening == closing else before.count(opening) > before.count(closing)
        if is_open:
            words = before.rpartition(opening)[0] + behind.partition(closing)[2]
            return any(character.isalnum() for character in words)
    return False
