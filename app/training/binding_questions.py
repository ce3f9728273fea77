"""Generated questions for symbol binding: the correct option repeats words of the question, and nothing else gives it away.

To answer a multiple-choice question at all, a model must bind an option's content to its letter. A very small base cannot, and
questions whose answers it does not know cannot teach it; the answers to these stand in the question.
"""

import random

from app.core.question import LETTERS, Question
from app.data.dataset import Item

ADJECTIVES = ("old", "green", "small", "heavy", "quiet", "wooden", "bright", "empty", "cheap", "round", "warm", "broken")
# Every fourth word is never shown in training, so that binding is measured on them and not the knowledge of a list of words.
_UNSEEN = 4
NOUNS = (
    *("lamp", "chair", "apple", "horse", "piano", "glove", "train", "candle", "mirror", "basket", "hammer", "pillow"),
    *("bottle", "ladder", "garden", "button", "carpet", "window", "rabbit", "bridge", "pocket", "engine", "hotel", "letter"),
    *("tiger", "spoon", "guitar", "jacket", "river", "castle", "lemon", "pencil", "doctor", "market", "forest", "camera"),
    *("planet", "blanket", "dragon", "kitchen", "motor", "needle", "orange", "saddle", "ticket", "violin", "wallet", "yacht"),
)
_FORMS = (
    "Look for the {x}.",
    "Which option says {x}?",
    "The answer is {x}. Which option is it?",
    "Somebody asks for the {x} and for nothing else. What should be chosen?",
    "Of all these things, only the {x} counts.",
    "In this list, find the {x}",
)
_MOST_OPTIONS = 5


def binding_items(count: int, seed: int, *, unseen: bool = False) -> list[Item]:
    """Questions of two to five options, made by seed.

    Args:
        count: number of questions.
        seed: seed of the questions.
        unseen: whether to use the words that training never shows, and no others.
    """
    draw = random.Random(f"binding|{seed}|{unseen}")  # noqa: S311  # questions, not secrets
    nouns = [noun for index, noun in enumerate(NOUNS) if (index % _UNSEEN == 0) == unseen]
    return [_item(f"binding-{seed}-{number}", nouns, draw) for number in range(count)]


def _item(name: str, nouns: list[str], draw: random.Random) -> Item:
    size = draw.choice((2, 3, 4, 4, 4, _MOST_OPTIONS))
    options = draw.sample(nouns, size)
    if draw.random() < 0.5:  # noqa: PLR2004  # half of them have options of two words
        options = [f"{draw.choice(ADJECTIVES)} {noun}" for noun in options]
    correct = draw.randrange(size)
    text = draw.choice(_FORMS).format(x=options[correct])
    return Item(Question(text, tuple(options), None, name), LETTERS[correct])
