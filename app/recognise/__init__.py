"""Finds the multiple-choice question in a chat. Pure: knows no wire format, no HTTP and no model.

`recognise` reads one message, `recognise_chat` a conversation. Both return None for everything that is not clearly one
multiple-choice question that wants an answer: what is not recognised is passed through unchanged, and nothing is lost. `examine` and
`examine_chat` return a `Refusal` instead, which names the reason.
"""

from app.recognise.chat import examine_chat, recognise_chat
from app.recognise.message import examine, recognise
from app.recognise.recognised import Form, Recognised
from app.recognise.refusal import Refusal

__all__ = ["Form", "Recognised", "Refusal", "examine", "examine_chat", "recognise", "recognise_chat"]
