"""The alphabets in which people label options, and which label follows which."""

# Position by position, the characters that stand for the label there. People who type Latin labels on a Cyrillic keyboard use
# the letters that look alike (А, В, С, Д, Е for A, B, C, D, E), and mix both.
_LATIN = tuple(
    letter + {"A": "А", "B": "В", "C": "С", "D": "Д", "E": "Е", "H": "Н", "K": "К", "M": "М", "O": "О", "P": "Р", "T": "Т"}.get(letter, "")
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
_ALPHABETS = (
    _LATIN,
    tuple("АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЭЮЯ"),
    tuple("АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЭЮЯ"),
    tuple("АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЭЮЯ"),
    tuple("АӘБВГҒДЕЁЖЗИЙКҚЛМНҢОӨПРСТУҰҮФХҺЦЧШЩЫІЭЮЯ"),
    tuple("АӘБВГҒДЕЖЗИКҚЛМНҢОӨПРСТУҰҮФХҺЦЧШЩЭЮЯ"),
)
EVERY = frozenset(range(len(_ALPHABETS)))


def kind(label: str) -> str:
    """The kind of a label: `1`, `A` or `a`."""
    if label[0].isdigit():
        return "1"
    return "A" if label.isupper() else "a"


def fitting(label: str, position: int, alphabets: frozenset[int]) -> frozenset[int]:
    """Those of the alphabets in which a label stands at a position (from 0); for numbers all or none."""
    if label[0].isdigit():
        return alphabets if label == str(position + 1) else frozenset()
    upper = label.upper()
    return frozenset(index for index in alphabets if position < len(_ALPHABETS[index]) and upper in _ALPHABETS[index][position])
