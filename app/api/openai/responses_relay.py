"""A streamed reply of the cloud as the events of a response."""

from app.api.openai.relay import Relay, error_in_stream
from app.api.openai.responses_reply import Responder
from app.api.openai.responses_written import Written, payloads_of
from app.core.errors import CloudUnparsable, FogGateError
from app.gateway.passing import PassedStream


class ResponseRelay(Relay):
    """A streamed reply, handed on as the events of a response.

    Args:
        stream: the reply, which this closes.
        request_id: id of the request, which an error repeats.
        responder: makes the events.
    """

    def __init__(self, stream: PassedStream, request_id: str, responder: Responder) -> None:
        super().__init__(stream, request_id, ignored=responder.tools.ignored)
        self._responder = responder
        self._written = Written()

    def begin(self) -> bytes:
        """The events in front of the first item."""
        return self._responder.beginning()

    def take(self, events: bytes) -> bytes:
        """What is new in these chunks. Raises CloudError for an error, and for what cannot be read: the reply would lack what it says."""
        if self._stream.broken:
            raise CloudUnparsable("an event of the cloud's reply is too long to be translated")
        changes = [change for payload in payloads_of(events) for change in self._written.take(payload, part="delta")]
        return self._responder.changed(self._written, changes)

    def end(self) -> bytes:
        """The events behind the last item."""
        return self._responder.end(self._written)

    def failed(self, error: FogGateError) -> bytes:
        """The events of an error."""
        return self._responder.failed(self._written, error_in_stream(error, self.request_id))
