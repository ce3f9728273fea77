"""Whether a text is in one of the languages in which a list without an instruction is read: English, Russian and Kazakh.

Signs and weights for other languages are lacking, so that nothing would keep an ordinary list apart from a question.
"""

import re

_LETTER = re.compile(r"[^\W\d_]")
_OTHER_SCRIPT = re.compile(r"[^\W\d_A-Za-z\u00aa-\u024f\u0370-\u03ff\u0400-\u052f\u1e00-\u1fff\u2100-\u214f\U0001d400-\U0001d7ff]")
_ENGLISH = re.compile(
    r"\b(?:the|of|is|are|which|what|who|whom|whose|how|and|that|with|from|by|for|to|if|when|where|why|find|an|it|this|can|has|have)\b",
    re.IGNORECASE,
)
# Words of the closed classes of Spanish, Portuguese, Italian, French, German, Dutch, Polish, Turkish and Uzbek, none of them English.
_FOREIGN = re.compile(
    r"\b(?:el|la|los|las|del|qué|que|cuál|cuáles|es|un|una|para|por|con|según|¿\w+|qual|quais|são|não|uma|dos|das|em|il|lo|gli|della|quale|quali|sono|che|di|le|les|des|du|une|est|sont|quel|quelle|quels|quelles|dans|pour|qui|"
    r"der|das|den|dem|und|ist|sind|welche|welcher|welches|wie|ein|eine|einen|nicht|für|von|het|een|welke|zijn|jest|są|który|która|hangisi|hangileri|nedir|bir|ve|için|kim|qaysi|nima|uchun|bilan)\b",
    re.IGNORECASE,
)
_ACCENTED = re.compile(r"\b[A-Za-z]*[À-ÖØ-öø-ÿĀ-ſ][A-Za-zÀ-ÿĀ-ſ]*\b")
_MOST = 2_000
_FEW = 2


def is_read(text: str) -> bool:
    """Whether a text is not clearly in another language than those that are read."""
    text = text[:_MOST]
    letters = len(_LETTER.findall(text))
    if len(_OTHER_SCRIPT.findall(text)) * 2 > letters:
        return False
    if _ENGLISH.search(text) is not None or re.search("[а-яё]", text, re.IGNORECASE):
        return True
    return len(_FOREIGN.findall(text)) < _FEW and len(_ACCENTED.findall(text)) < _FEW and "¿" not in text
