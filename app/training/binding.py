"""Generated questions whose right option repeats words of the question: what a small model must learn before anything else.

To answer a multiple-choice question at all, an option's content must be bound to its letter. A base of this size
cannot do that, and rows whose content it does not know cannot teach it; these rows know nothing else.
"""

import random

from app.core.question import LETTERS, Question
from app.data.dataset import Item

ADJECTIVES = ("old", "green", "small", "heavy", "quiet", "wooden", "bright", "empty", "cheap", "round", "warm", "broken")
# Words that training never shows, so that what is measured on them is binding and not a list of words.
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
    """`count` questions of two to five options, made by seed.

    Args:
        count: how many.
        seed: other seeds make other questions.
        unseen: of words that are in no question where this is False.
    """
    draw = random.Random(f"binding|{seed}|{unseen}")  # noqa: S311  # questions, not secrets
    nouns = [noun for index, noun in enumerate(NOUNS) if (index % _UNSEEN == 0) == unseen]
    return [_item(f"binding-{seed}-{number}", nouns, draw) for number in range(count)]


def _item(name: str, nouns: list[str], draw: random.Random) -> Item:
    size = draw.choice((2, 3, 4, 4, 4, _MOST_OPTIONS))
    options = draw.sample(nouns, size)
    if draw.random() < 0.5:  # noqa: PLR2004  # half of them have options of two words
        options = [f"{draw.choice(ADJECTIVES)} {noun}" for noun in options]
    right = draw.randrange(size)
    text = draw.choice(_FORMS).format(x=options[right])
    return Item(Question(text, tuple(options), None, name), LETTERS[right])
