"""The closed vocabulary of instructions how to answer.

A sentence behind the options is such an instruction only if all its words are listed here, apart from quoted forms, labels and numbers:
`Answer with the letter only.` is one, and `Use the words in a story` is none, since no answer to a question speaks of stories.
"""

import re

_LIST_ENGLISH = """
    a an the this that these those it its of in on at as by to from for with without within into between among before after below above here there
    and or not no nor but if so than then also only just please kindly thanks thank you your yours me my i we us one ones single each any all
    both either none most more is are be been was will would should can cannot can't could may must do does don't did doing have has let let's
    which what who whose how when where why whether
    answer answers answering answered respond responds response responses reply replies choose chooses choosing chosen choice choices pick picks
    picking select selects selecting selected option options alternative alternatives candidate candidates letter letters label labels number
    numbers digit index character characters symbol indicate indicates give giving given provide provided providing return output outputs print
    write writing state states enter type put place mark circle identify determine find say use using follow following make sure ensure
    correct right best true false appropriate suitable likely accurate better valid proper question questions multiple multiple-choice mcq
    exam test quiz item format form template line last first second final finally entire whole start starts starting begin begins end ends
    ending finish finishes conclude content contain contains containing consist consists consisting exactly directly strictly simply clearly
    explanation explanations explain explaining reason reasons reasoning justification justify justifying rationale commentary comment comments
    text texts word words sentence anything something nothing else other others additional extra further punctuation mark period quotes quote
    quotation spaces space think thinking thought step steps step-by-step carefully through consider considering analyze analyse evaluate compare
    eliminate solve work now next capital uppercase lowercase upper lower case latin english russian kazakh briefly concisely concise brief short
    quick quickly own based knowledge passage above-mentioned context information guess guessing unsure believe know known corresponding
    corresponds matching matches match represents representing listed available possible json object key keys value field string boxed box tags
    tag bracket brackets parentheses parenthesis enclosed wrapped inside confidence percent probability number integer minus points point marks
    markdown formatting latex required require requires expected allowed important note remember instruction instructions instead rather even
    out up least at two three four five ten e.g eg i.e ie etc except including like such example ok okay good luck
    """
_ENGLISH = frozenset(_LIST_ENGLISH.split())
_CYRILLIC = re.compile(
    r"(?:ответ|отвеча|выбер|выбир|выбр|выбор|вариант|укаж|указ|напиш|напис|дай|дайте|дать|верн|вывед|назов|назв|отмет|букв|номер|цифр|числ|прав|верн|един|лишь|толь|один|одн|"
    r"без|никак|не|ни|и|или|в|на|с|из|к|по|о|об|от|для|до|при|после|перед|под|над|под|этот|эт|тот|та|то|так|что|какой|какая|какие|который|котор|сначал|затем|пот|конц|кон|нач|пояснен|поясня|объяснен|объясня|объясн|обоснован|"
    r"комментар|слов|символ|знак|формат|форм|шаг|подума|дума|рассужд|решен|реши|вопрос|тест|задан|следующ|приведен|данн|ниже|выше|текст|строк|строч|последн|перв|пожалуйста|спасибо|русск|казахск|английск|язык|кратк|точн|ровн|"
    r"долж|нужн|следует|можно|использ|вид|json|твой|твоя|тво|ваш|дополнительн|лишн|друг|кавыч|скоб|точк|заглавн|больш|балл|"
    r"жауа|жауаб|таңда|нұсқа|әріп|әрп|әрі|нөмір|сан|цифр|көрсет|жаз|бер|белгіле|айт|тек|ғана|бір|дұрыс|тура|сұра|тест|келесі|төменде|берілген|осы|мына|бұл|соңғы|соңында|алдымен|кейін|содан|ойлан|қадам|түсіндір|"
    r"ешқандай|қосымша|басқа|сөз|таңба|жоқ|болу|болсын|керек|тиіс|пішім|формат|қазақ|орыс|ағылшын|тіл|қысқа|нақты|мен|және|немесе|үшін|ретінде|арқылы|өтін|рақмет|рахмет|ең|қай|қандай|түрінде|бас)\w*",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"\"[^\"\n]{1,120}\"|“[^”\n]{1,120}”|«[^»\n]{1,120}»|(?<!\w)'[^'\n]{1,120}'(?!\w)|‘[^’\n]{1,120}’|`[^`\n]{1,120}`|\\boxed\{[^{}\n]{0,40}\}|\{[^{}\n]{0,120}\}|"
    r"</?[A-Za-z_ ]{1,40}>|\[[^\[\]\n]{1,60}\]|\$\{?[A-Za-z_]{1,20}\}?\$?|\((?:[A-Za-zА-Яа-яӘә1-9](?:[,/ ]|or|and|или|немесе){1,5})*[A-Za-zА-Яа-яӘә1-9]\)"
)
_WORDS = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*")


def is_closed(sentence: str) -> bool:
    """Whether a sentence has no word but those of instructions how to answer, forms of an answer, labels and numbers."""
    return all(_known(word) for word in _WORDS.findall(_FORM.sub(" ", sentence)))


def _known(word: str) -> bool:
    word = word.lower().replace("’", "'")
    # A label, or several of them as in `ABCD`.
    if len(word) == 1 or (len(word) <= 5 and word in "abcdefghij"):  # noqa: PLR2004
        return True
    return word in _ENGLISH or _CYRILLIC.fullmatch(word) is not None
