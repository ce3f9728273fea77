"""Request bodies as JSON: strict, bounded, and decoded beside the event loop where that would take long."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from app.core.errors import InvalidQuestion
from app.core.offload import SMALL, in_text_thread
from app.core.question import MAX_OPTIONS
from app.core.strict_json import NotJson, TooManyValues, loads

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
# Its options, and room for seven fields and two brackets.
VALUES_PER_QUESTION = MAX_OPTIONS + 14
# A thousand steps of an agent with the descriptions of its tools; so many take some 50 ms to read and to check.
VALUES_OF_A_CHAT = 20_000


class _Decoded(Request):
    """A request whose JSON is there already; FastAPI asks for it by `json`."""

    value: Any = None

    async def json(self) -> Any:
        return self.value


def json_route(max_questions: int) -> type[APIRoute]:
    """The class of routes that take up to so many questions.

    Its handlers raise what becomes a 400 for a body that is not JSON, and InvalidQuestion for one that holds more values
    than so many questions can have.
    """
    return _route_of(VALUES_PER_QUESTION * (max_questions + 1), f"; {max_questions} questions have fewer")


def chat_route() -> type[APIRoute]:
    """The class of routes that take one chat, with as many values as a long chat has, however many questions may be asked at once.

    Its handlers raise what those of `json_route` raise.
    """
    return _route_of(VALUES_OF_A_CHAT, "")


def _route_of(max_values: int, fewer: str) -> type[APIRoute]:
    """The class of routes whose bodies hold up to so many values; `fewer` ends the sentence about one with more."""

    async def decode(body: bytes) -> Any:
        try:
            if len(body) <= SMALL:
                return loads(body, max_values=max_values)
            return await in_text_thread(partial(loads, body, max_values=max_values))
        except NotJson:
            # What FastAPI itself raises, so that there is one place that answers it.
            raise RequestValidationError([{"type": "json_invalid", "loc": ("body",), "msg": "not JSON", "input": None}]) from None
        except TooManyValues as error:
            raise InvalidQuestion(f"the body holds {error}{fewer}") from None

    class JsonRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def decoded(request: Request) -> Response:
                with_value = _Decoded(request.scope, request.receive)
                if body := await with_value.body():
                    with_value.value = await decode(body)
                return await handle(with_value)

            return decoded

    return JsonRoute
