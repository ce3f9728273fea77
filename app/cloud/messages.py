"""The chat messages that ask the cloud for one letter."""

from app.core.prompt import user_prompt
from app.core.question import Question

SYSTEM = (
    "You answer multiple-choice questions. Reply with the letter of the correct option and nothing else, "
    "in the form 'Final answer: <letter>'."
)


def cloud_messages(question: Question) -> list[dict[str, str]]:
    """Chat messages that ask for one letter; the options are laid out as for the edge."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user_prompt(question)}]
