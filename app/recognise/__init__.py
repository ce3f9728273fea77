"""Finds the multiple-choice question in a chat. Pure: knows no wire format, no HTTP and no model.

`recognise` reads one message, `recognise_chat` a conversation. Both return None for everything that is not clearly one
multiple-choice question that wants an answer: what is not recognised is passed through unchanged, and nothing is lost.
"""

from app.recognise.chat import recognise_chat
from app.recognise.message import recognise
from app.recognise.recognised import Form, Recognised

__all__ = ["Form", "Recognised", "recognise", "recognise_chat"]
