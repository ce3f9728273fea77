"""Which answer format each endpoint takes, found out by asking: `cloud.answer_format: auto`.

An endpoint that does not know a field refuses it, or ignores it. So it is asked to say `hello` in a format that leaves only letters to
write: an endpoint that answers with a letter keeps to the format.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from app.cloud.call import AttemptFailed, Purse
from app.cloud.client import CloudClient, Probe
from app.cloud.endpoint import Endpoint
from app.cloud.formats import AnswerFormat, constrained_letter, may_be_about_the_format
from app.cloud.reply import answer_of
from app.core.errors import BudgetExhausted, CloudMisconfigured, CloudRejected, CloudUnparsable
from app.core.question import letters_of

logger = logging.getLogger("foggate.cloud")

_SAY = [{"role": "user", "content": "Reply with the word hello and nothing else."}]
_LETTERS = letters_of(2)
# An endpoint may start after its gateway, and takes minutes to load its model.
_WAITS_S = (5.0, 30.0, 120.0, 600.0)


async def find_formats(
    client: CloudClient, purse: Purse, *, waits_s: Sequence[float] = _WAITS_S, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Ask every endpoint; text stays where it cannot be found out. Each call is paid for like any other.

    Args:
        client: client whose endpoints are asked.
        purse: pays for the calls.
        waits_s: seconds between the tries at an endpoint that does not answer.
        sleep: waits so many seconds.
    """
    async with asyncio.TaskGroup() as group:
        for endpoint in client.endpoints:
            group.create_task(_find(client, endpoint, purse, waits_s, sleep))


async def _find(
    client: CloudClient, endpoint: Endpoint, purse: Purse, waits_s: Sequence[float], sleep: Callable[[float], Awaitable[None]]
) -> None:
    if (reason := client.request.keeps_text(endpoint.model)) is not None:
        endpoint.form.keep_text(reason)
        return
    for wait_s in (*waits_s, None):
        try:
            endpoint.form.found(await _taken(client, endpoint, purse))
        except (AttemptFailed, BudgetExhausted) as failed:
            if isinstance(failed, AttemptFailed) and isinstance(failed.error, (CloudMisconfigured, CloudRejected)):
                # The log says what is wrong; waiting does not change that.
                return
            if wait_s is not None:
                await sleep(wait_s)
                continue
            logger.warning("the cloud endpoint '%s' could not be asked which answer format it takes: text is used", endpoint.name)
        except Exception:
            logger.exception("a bug: the cloud endpoint '%s' could not be asked which answer format it takes", endpoint.name)
        return


async def _taken(client: CloudClient, endpoint: Endpoint, purse: Purse) -> AnswerFormat:
    """The narrowest format that the endpoint keeps to.

    Raises:
        AttemptFailed: it did not answer, or refuses the request for another reason than its format.
        BudgetExhausted: there is nothing left to pay for the question.
    """
    for form in (AnswerFormat.CHOICE, AnswerFormat.JSON_SCHEMA):

        async def keeps(payload: Any, form: AnswerFormat = form) -> bool:
            try:
                return constrained_letter(answer_of(payload)[0], _LETTERS, form) is not None
            except CloudUnparsable:
                return False

        try:
            if await client.probe(endpoint, Probe(_SAY, form, _LETTERS, keeps), purse):
                return form
        except AttemptFailed as failed:
            if not may_be_about_the_format(failed.status):
                raise
    return AnswerFormat.TEXT
