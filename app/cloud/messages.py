"""What the cloud is told: the chat messages that ask it for one letter."""

from app.domain import Question
from app.prompt import user_prompt

SYSTEM = (
    "You answer multiple-choice questions. Reply with the letter of the correct option and nothing else, "
    "in the form 'Final answer: <letter>'."
)


def cloud_messages(question: Question) -> list[dict[str, str]]:
    """Chat messages that ask for one letter; the options are laid out as for the edge."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user_prompt(question)}]
