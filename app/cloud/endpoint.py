"""One OpenAI-compatible endpoint: where it is, what is sent with every call, and what is known about it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from app.cloud.address import completions_url, user_of
from app.cloud.breaker import Breaker
from app.cloud.formats import FormatChoice
from app.cloud.silence import Judge
from app.config.header_values import merged


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one cloud model is.

    Attributes:
        name: name in metrics and logs.
        base_url: URL as in `http://127.0.0.1:9000/v1`; a user name in it is sent as Basic authentication where there is no key.
        model: name of the model at the endpoint.
        breaker: decides whether the endpoint may be asked; it opens when calls fail.
        api_key: key that is sent as a bearer token; None sends none.
        extra_headers: headers that are sent with every call; the key wins over an `authorization` among them.
        judge: says what it means when no whole reply comes.
        chat_judge: says what it means when no whole reply comes to a chat that was passed on.
        stream_judge: says what it means when a streamed reply does not begin, or stops.
        form: the answer format that it is asked for.
    """

    name: str
    base_url: str = field(repr=False)
    model: str
    breaker: Breaker
    api_key: str | None = field(default=None, repr=False)
    extra_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    judge: Judge = field(default_factory=Judge, repr=False)
    chat_judge: Judge = field(default_factory=Judge, repr=False)
    stream_judge: Judge = field(default_factory=Judge, repr=False)
    form: FormatChoice = field(default_factory=FormatChoice, repr=False)

    @property
    def url(self) -> str:
        """URL of its chat completions, without a user name; the query may hold a secret."""
        return completions_url(self.base_url)

    @property
    def place(self) -> str:
        """The URL for people: without user name and query."""
        return self.url.partition("?")[0]

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every call."""
        if self.api_key:
            return merged(self.extra_headers, {"authorization": f"Bearer {self.api_key}"})
        user = user_of(self.base_url)
        basic = {"authorization": "Basic " + base64.b64encode(":".join(user).encode()).decode()} if user else {}
        return merged(basic, self.extra_headers)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in a log: the key, the values of headers, and user name, password and query of the URL."""
        query = (value for _, value in parse_qsl(urlsplit(self.base_url).query))
        values = (self.api_key or "", *self.extra_headers.values(), *(user_of(self.base_url) or ()), *query)
        return tuple(value for value in values if value)
