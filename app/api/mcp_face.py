"""The face for agents: the Model Context Protocol at `/mcp`, over streamable HTTP without sessions.

Three tools, behind the same keys, permissions and rates as every question. The protocol itself is the library's (extra `mcp`), which is
imported only where the face is enabled.
"""

import contextlib
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.types import Receive, Scope, Send

from app import __version__
from app.access.caller import Caller
from app.api.errors import validation_error
from app.api.face import Endpoint, Face
from app.api.schemas import AnswerRequest, answer_body
from app.core.errors import ConfigError, FogGateError, InvalidQuestion
from app.core.strict_json import dumps
from app.gateway.explanations import Explanations
from app.gateway.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import Request
    from mcp.server.lowlevel import Server
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

log = structlog.get_logger("foggate")

MCP = Endpoint("/mcp", takes_body=True)
_INSTRUCTIONS = (
    "FogGate answers multiple-choice questions: a small local model first, a large one in the cloud where the small one is not sure. "
    "Ask with answer_question; explain_route tells afterwards why an answer came from one or the other."
)


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ExplainArguments(_Arguments):
    decision_id: str = Field(description="`decision_id` of an answer, or the header `x-request-id` of a reply.")


class NoArguments(_Arguments):
    pass


Result = dict[str, Any]


class Tools:
    """What agents may call.

    Args:
        gateway: answers the questions.
        explanations: remembers decisions.
    """

    def __init__(self, gateway: Gateway, explanations: Explanations) -> None:
        self._gateway = gateway
        self._explanations = explanations
        self.known: dict[str, tuple[str, type[BaseModel], Callable[[Any, Caller, str], Awaitable[Result]]]] = {
            "answer_question": (
                "Answer one multiple-choice question. The answer says which model it is from, how sure that model is, and why it was routed so.",
                AnswerRequest,
                self._answer,
            ),
            "explain_route": ("Explain how the questions of an earlier request were routed.", ExplainArguments, self._explain),
            "calibration_status": (
                "Tell which threshold and signal are in force, and what the calibration behind them promises.",
                NoArguments,
                self._status,
            ),
        }

    async def call(self, name: str, arguments: dict[str, Any], caller: Caller, request_id: str) -> Result:
        """Call a tool.

        Raises:
            InvalidQuestion: there is no such tool, or its arguments are wrong.
            FogGateError: what `Gateway.answer` raises.
        """
        if name not in self.known:
            raise InvalidQuestion(f"there is no tool of that name; there are {', '.join(self.known)}", param="name")
        _, shape, work = self.known[name]
        try:
            asked = shape.model_validate(arguments)
        except ValidationError as error:
            raise validation_error([dict(item) for item in error.errors()]) from None
        return await work(asked, caller, request_id)

    async def _answer(self, asked: AnswerRequest, caller: Caller, request_id: str) -> Result:
        outcome = await self._gateway.answer(await asked.to_ask(), caller)
        return {**answer_body(outcome), "decision_id": request_id}

    async def _explain(self, asked: ExplainArguments, caller: Caller, request_id: str) -> Result:  # noqa: ARG002  # a tool's
        found = self._explanations.of(asked.decision_id, caller.key.id if caller.key else None)
        if not found:
            raise InvalidQuestion("no decision with this id is remembered for this caller", param="decision_id")
        return {"decision_id": asked.decision_id, "decisions": found}

    async def _status(self, asked: NoArguments, caller: Caller, request_id: str) -> Result:  # noqa: ARG002  # a tool's
        state = self._gateway.state
        policy = state.cascade.policy if state.cascade is not None else None
        return {
            "status": state.status,
            "edge_model": state.edge_model,
            "cloud_model": state.cloud_model,
            "tau": policy.tau if policy else None,
            "signal": policy.signal.value if policy else None,
            "domains": dict(policy.domains) if policy else {},
            "calibration": dict(state.calibration) if state.calibration else None,
            "warning": state.warning,
        }


class McpFace(Face):
    """The route of `/mcp`.

    Args:
        gateway: answers the questions.
        explanations: remembers decisions.

    Raises:
        ConfigError: the extra is not installed.
    """

    def __init__(self, gateway: Gateway, explanations: Explanations) -> None:
        super().__init__(None)
        self._manager = _manager(Tools(gateway, explanations), gateway)

        @self.serves(MCP)
        async def mcp() -> Response:
            return _Handled(self._manager)

    def running(self) -> contextlib.AbstractAsyncContextManager[None]:
        """The time in which requests can be handled; once only."""
        return self._manager.run()


class _Handled(Response):
    """A response that the library makes."""

    def __init__(self, manager: "StreamableHTTPSessionManager") -> None:
        super().__init__()
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.handle_request(scope, receive, send)


def _manager(tools: Tools, gateway: Gateway) -> "StreamableHTTPSessionManager":
    try:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # an extra
    except ImportError:
        raise ConfigError("mcp.enabled needs the extra: pip install 'foggate[mcp]'") from None
    # Each request stands alone, so that any replica can answer it.
    return StreamableHTTPSessionManager(_server(tools, gateway), json_response=True, stateless=True)


def _server(tools: Tools, gateway: Gateway) -> "Server[Any]":
    from mcp.server.lowlevel import Server  # an extra, as in `_manager`
    from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

    listed = [
        Tool(name=name, description=description, input_schema=shape.model_json_schema())
        for name, (description, shape, _) in tools.known.items()
    ]

    def result(said: Result, *, is_error: bool = False) -> CallToolResult:
        text = dumps(said).decode()
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=said, is_error=is_error)

    async def list_tools(_: Any, params: Any) -> ListToolsResult:  # noqa: ARG001  # there is one page
        return ListToolsResult(tools=listed)

    async def call_tool(context: Any, params: Any) -> CallToolResult:
        request: Request = context.request
        try:
            return result(await tools.call(params.name, params.arguments or {}, request.state.caller, request.state.request_id))
        except FogGateError as error:
            gateway.state.metrics.rejected.labels(error.code).inc()
            said = {"type": error.code, "message": error.message, **({"param": error.param} if error.param else {})}
            return result({"error": {**said, "request_id": request.state.request_id}}, is_error=True)
        except Exception:
            log.exception("a bug: a tool failed", tool=params.name)
            gateway.state.metrics.rejected.labels("internal_error").inc()
            said = {"type": "internal_error", "message": "an internal error; the request id is in the log"}
            return result({"error": {**said, "request_id": request.state.request_id}}, is_error=True)

    return Server("foggate", version=__version__, instructions=_INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool)
