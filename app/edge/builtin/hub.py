"""A file of a builtin model from the Hugging Face hub, through the hub's own client: its endpoint, token, proxies and cache apply."""

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from app.core.errors import first_line
from app.edge.builtin.models import HubFile, Weights
from app.edge.builtin.source import Unavailable

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

Result = TypeVar("Result")

# How long the hub may take to say whether it has the file. Resolving a name has no timeout that a client could set.
_DECIDE_S = 15.0
_SHA256_DIGITS = 64


def append_from_hub(weights: Weights, file: HubFile, target: Path, progress: Callable[[int], None]) -> None:
    """Fetch what a file lacks; what it holds already is taken for the beginning.

    Args:
        weights: the weights, with size and hash of the file.
        file: the file on the hub.
        target: file to complete.
        progress: told how many bytes there are.

    Raises:
        Unavailable: the hub cannot be reached, or does not have this content; what has arrived is kept.
        OSError: the target cannot be written.
    """
    if (cached := _in_cache(file)) is not None and cached.stat().st_size == weights.size:
        shutil.copyfile(cached, target)
        progress(weights.size)
        return
    try:
        url = _find(weights, file)
        _append(url, weights.size, target, progress)
    except Unavailable:
        raise
    except Exception as error:
        # The client raises errors of its HTTP library and its own, some of which are OSErrors without a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Unavailable(f"the hub does not give {file.repository} ({first_line(error)})") from error


def _in_cache(file: HubFile) -> Path | None:
    """The file in the cache of the hub's client, where somebody fetched it before."""
    from huggingface_hub import try_to_load_from_cache  # imports slowly, and is needed here alone

    for revision in file.revisions:
        found = try_to_load_from_cache(file.repository, file.name, revision=revision)
        if isinstance(found, str):
            return Path(found)
    return None


def _find(weights: Weights, file: HubFile) -> str:
    """The address of the file in the first revision that the hub has. Raises Unavailable where its content is another one."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import RevisionNotFoundError
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    failure: Exception | None = None
    for revision in file.revisions:
        url = hf_hub_url(file.repository, file.name, revision=revision)
        try:
            found = _within(_DECIDE_S, lambda url=url: get_hf_file_metadata(url, headers=build_hf_headers()))  # type: ignore[misc]
        except TimeoutError:
            raise Unavailable(f"the hub did not answer within {_DECIDE_S:.0f} s") from None
        except RevisionNotFoundError as error:
            failure = error
            continue
        if _is_other(found, weights):
            raise Unavailable(f"{file.repository} on the hub now holds another file under that name")
        return url
    raise Unavailable(f"the hub does not give {file.repository} ({first_line(failure) if failure else 'no revision is known'})")


def _is_other(found: "HfFileMetadata", weights: Weights) -> bool:
    """Whether the hub itself says that its file is another one. The etag of a large file is its SHA-256."""
    is_hash = found.etag is not None and len(found.etag) == _SHA256_DIGITS
    return (found.size is not None and found.size != weights.size) or (is_hash and found.etag != weights.sha256)


def _append(url: str, size: int, target: Path, progress: Callable[[int], None]) -> None:
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    have = target.stat().st_size if target.exists() else 0

    class Bar:
        """What the client takes for a progress bar."""

        def __init__(self, *_: Any, initial: int = 0, **__: Any) -> None:
            self.have = initial

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def update(self, more: float | None = 1) -> None:
            self.have += int(more or 0)
            # Called before the bytes are written: a server that sends more than the file has must not fill the disk.
            if self.have > size:
                raise Unavailable("the hub sends more than the file has")
            progress(self.have)

    # Unlike `hf_hub_download`, it goes on with a file that an earlier process has begun.
    with target.open("ab") as file:
        http_get(
            url,
            file,
            resume_size=have,
            headers=build_hf_headers(),
            expected_size=size,
            tqdm_class=Bar,
        )


def _within(seconds: float, work: Callable[[], Result]) -> Result:
    """The result of some work, or TimeoutError where it takes longer; then it goes on in its thread, and nobody waits for it."""
    found: Future[Result] = Future()

    def run() -> None:
        try:
            found.set_result(work())
        except BaseException as error:  # noqa: BLE001  # handed over whatever it is
            found.set_exception(error)

    threading.Thread(target=run, name="foggate-hub", daemon=True).start()
    return found.result(timeout=seconds)
