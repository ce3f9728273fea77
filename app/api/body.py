"""Request bodies as JSON: strict, bounded, and decoded beside the event loop where that would take long.

A handler takes a request as it was read and validates it once. FastAPI describes the routes and chooses them; between a route and its
handler it would look at the body's type, decode, solve dependencies and validate again, for which nothing here has a use.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

from app.core.errors import InvalidQuestion
from app.core.offload import SMALL, in_text_thread
from app.core.question import MAX_OPTIONS
from app.core.strict_json import NotJson, RepeatedName, TooManyValues, loads

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
# Its options, and room for seven fields and two brackets.
VALUES_PER_QUESTION = MAX_OPTIONS + 14
# A thousand steps of an agent with the descriptions of its tools; so many take some 50 ms to read and to check.
VALUES_OF_A_CHAT = 20_000


class _Decoded(Request):
    """A request whose JSON is there already; handlers ask for it by `json`."""

    value: Any = None

    async def json(self) -> Any:
        return self.value


def json_route(max_questions: int, *, distinct_names: bool = False) -> type[APIRoute]:
    """The class of routes that take up to so many questions.

    Its handlers raise what becomes a 400 for a body that is not JSON, and InvalidQuestion for one that holds more values
    than so many questions can have, or (`distinct_names`) a name twice in one object. A function that it serves has a parameter for the
    body, whose type validates it, and may have one for the request; it returns a response.
    """
    return _route_of(VALUES_PER_QUESTION * (max_questions + 1), f"; {max_questions} questions have fewer", distinct_names=distinct_names)


def chat_route() -> type[APIRoute]:
    """The class of routes that take one chat, with as many values as a long chat has, however many questions may be asked at once.

    Its handlers raise what those of `json_route` raise.
    """
    return _route_of(VALUES_OF_A_CHAT, "")


def _route_of(max_values: int, fewer: str, *, distinct_names: bool = False) -> type[APIRoute]:
    """The class of routes whose bodies hold up to so many values; `fewer` ends the sentence about one with more."""
    decode = partial(loads, max_values=max_values, distinct_names=distinct_names)

    class JsonRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            if self.body_field is None:
                return super().get_route_handler()
            body_name, asked, request_name = _parameters(self.endpoint)
            endpoint: Callable[..., Awaitable[Response]] = self.endpoint

            async def handle(request: Request) -> Response:
                with_value = _Decoded(request.scope, request.receive)
                if body := await with_value.body():
                    with_value.value = await _decode(body, decode, fewer)
                if with_value.value is None:
                    raise _invalid([{"type": "missing", "loc": (), "msg": "Field required", "input": None}])
                try:
                    given = {body_name: asked.validate_python(with_value.value)}
                except ValidationError as error:
                    raise _invalid(error.errors(include_url=False, include_input=False)) from None
                if request_name is not None:
                    given[request_name] = with_value
                return await endpoint(**given)

            return handle

    return JsonRoute


async def _decode(body: bytes, decode: Callable[[bytes], Any], fewer: str) -> Any:
    """The value that a body holds; raises what becomes its refusal."""
    try:
        return decode(body) if len(body) <= SMALL else await in_text_thread(decode, body)
    except NotJson:
        # What FastAPI itself raises, so that there is one place that answers it.
        raise _invalid([{"type": "json_invalid", "loc": (), "msg": "not JSON", "input": None}]) from None
    except TooManyValues as error:
        raise InvalidQuestion(f"the body holds {error}{fewer}") from None
    except RepeatedName as error:
        name = str(error)[:64]
        raise InvalidQuestion(f"the name '{name}' stands twice in one object", param=name) from None


def _parameters(endpoint: Callable[..., Any]) -> tuple[str, TypeAdapter[Any], str | None]:
    """The name and the validator of the body, and the name of the parameter that takes the request."""
    kinds = {name: parameter.annotation for name, parameter in inspect.signature(endpoint, eval_str=True).parameters.items()}
    request = next((name for name, kind in kinds.items() if kind is Request), None)
    (body,) = (name for name in kinds if name != request)
    return body, TypeAdapter(kinds[body]), request


def _invalid(errors: Sequence[Mapping[str, Any]]) -> RequestValidationError:
    return RequestValidationError([{**error, "loc": ("body", *error["loc"])} for error in errors])
