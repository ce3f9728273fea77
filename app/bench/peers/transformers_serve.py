"""`transformers serve`, of the same version as in this environment and with the same torch: `/v1/systemone`, and chat."""

import json
from dataclasses import dataclass
from importlib.metadata import version

from app.bench.environments import ensure_environment
from app.bench.peers.protocol import Asked, Place, Start, Way, chat_ways, threads_of
from app.core.question import LETTERS


@dataclass(frozen=True)
class TransformersServe:
    """The server of transformers.

    Attributes:
        continuous: whether it batches continuously; `/v1/systemone` never does.
    """

    continuous: bool = False

    @property
    def name(self) -> str:
        """Its name, which says how it batches."""
        return "transformers-batching" if self.continuous else "transformers"

    @property
    def about(self) -> str:
        """What it is."""
        return "transformers serve --continuous-batching" if self.continuous else "transformers serve"

    def install(self, place: Place) -> Start:
        """Install what the extra `serving` adds. Raises InstallFailed."""
        python = ensure_environment(
            place.environments, "transformers", [f"transformers[serving]=={version('transformers')}"], share=True, say=place.say
        )
        model = str(place.model)
        options = ["--device", "auto" if place.gpu else "cpu", "--dtype", "auto"]
        if self.continuous:
            # The defaults are sized for a GPU.
            options += ["--continuous-batching"]
            options += [] if place.gpu else ["--cb-num-blocks", "64", "--cb-block-size", "256", "--cb-max-batch-tokens", "512"]
        one_pass = [] if self.continuous else [Way("/v1/systemone", "/v1/systemone", lambda asked: _decision(model, asked), _choice)]
        return Start(
            lambda port: [
                str(python),
                "-c",
                # The module's own entry asks a package index for a newer version first.
                "from transformers.cli.transformers import app; app()",
                "serve",
                model,
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                *options,
            ],
            "/health",
            [*one_pass, *chat_ways(model)],
            {**threads_of(place), "HF_HUB_OFFLINE": "1"},
        )


def _decision(model: str, asked: Asked) -> dict[str, object]:
    options = dict(zip(LETTERS, asked.question.options, strict=False))
    question = {"type": "choice", "instructions": "Which option is correct?", "criteria": options}
    return {"model": model, "state": asked.question.question, "questions": {"answer": question}}


def _choice(reply: bytes) -> str | None:
    return str(json.loads(reply)["answers"]["answer"]["choice"])
