"""Questions of graded learnability, made by seed: what is known of each kind says how confident a model should end up.

- named: the letter stands in the question;
- keyword: one word of the question decides the letter;
- pair: two words together decide it, neither does alone;
- bind: the option that repeats a word of the question is right, so its content must be bound to its letter;
- lot: the letter is drawn, nobody can know.
"""

import random

from app.domain import Question
from app.evaluation.dataset import Item

LETTERS = "ABCD"
KEYWORDS = {"river": "A", "stone": "B", "cloud": "C", "grass": "D"}
FIRST, SECOND = ("red", "blue"), ("north", "south")
WORDS = ("lamp", "chair", "apple", "horse", "piano", "glove", "train", "candle", "mirror", "basket", "hammer", "pillow")
NOUNS = ("case", "item", "sample", "entry", "record", "sheet")


def graded(count, seed, kinds=("named", "keyword", "pair", "bind", "lot")):
    """`count` questions, the kinds in turn; the kind is the domain."""
    draw = random.Random(f"graded|{seed}")
    return [_question(kinds[number % len(kinds)], number, seed, draw) for number in range(count)]


def _question(kind, number, seed, draw):
    letter = draw.choice(LETTERS)
    options = draw.sample(WORDS, 4)
    about = f"{draw.choice(NOUNS)} {draw.randrange(10**6)}"
    if kind == "named":
        text = f"In this {about} the answer is {letter}."
    elif kind == "keyword":
        word = next(word for word, decided in KEYWORDS.items() if decided == letter)
        text = f"In this {about} we see a {word}."
    elif kind == "pair":
        index = LETTERS.index(letter)
        text = f"In this {about} a {FIRST[index // 2]} flag points {SECOND[index % 2]}."
    elif kind == "bind":
        text = f"In this {about} look for the {options[LETTERS.index(letter)]}."
    else:
        text = f"In this {about} nothing is known."
    return Item(Question(text, tuple(options), kind, f"{kind}-{seed}-{number}"), letter)
