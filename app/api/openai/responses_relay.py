"""A streamed reply of the cloud as the events of a response."""

from app.api.openai.relay import Relay, error_in_stream
from app.api.openai.responses_reply import Responder, Written, payloads_of
from app.core.errors import FogGateError
from app.gateway.passing import PassedStream


class ResponseRelay(Relay):
    """A streamed reply, handed on as the events of a response.

    Args:
        stream: the reply, which this closes.
        request_id: id of the request, which an error repeats.
        responder: makes the events.
    """

    def __init__(self, stream: PassedStream, request_id: str, responder: Responder) -> None:
        super().__init__(stream, request_id)
        self._responder = responder
        self._written = Written()

    def begin(self) -> bytes:
        """The events in front of the text."""
        return self._responder.beginning()

    def take(self, events: bytes) -> bytes:
        """The text of these chunks."""
        texts = [self._written.take(payload, part="delta") for payload in payloads_of(events)]
        return b"".join(self._responder.delta(text) for text in texts if text)

    def end(self) -> bytes:
        """The events behind the text."""
        return self._responder.end(self._written)

    def failed(self, error: FogGateError) -> bytes:
        """The event of an error."""
        return self._responder.failed(error_in_stream(error, self.request_id))
