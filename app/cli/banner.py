"""What `foggate serve` prints when the gateway is ready: its address, its models, and two questions to try."""

import json
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from app.edge.builtin import BUILTIN

if TYPE_CHECKING:
    from app.config.settings import Settings

# Two questions of the shipped bank: by default the builtin model keeps the first and escalates the second.
EDGE_EXAMPLE = {
    "question": "Which fraction equals 0.75?",
    "options": ["2/3", "7/10", "4/5", "3/4"],
}
CLOUD_EXAMPLE = {
    "question": "A train covers 150 km in 2 hours. What is its average speed?",
    "options": ["75 km/h", "300 km/h", "70 km/h", "50 km/h"],
}


def say_ready(console: Console, settings: "Settings", edge_model: str, url: str) -> None:
    """Print where the gateway is, what stands behind it, and two questions to try."""
    cloud = settings.cloud.model if settings.cloud.base_url else "none (every answer comes from the edge)"
    console.print(f"\n[bold]FogGate is ready at {url}[/]\n  edge   {escape(edge_model)}\n  cloud  {escape(cloud)}")
    shown = settings.edge.model == BUILTIN and settings.edge.adapter is None
    known = "; the builtin model answers the first itself and is not sure about the second" if shown else ""
    console.print(f"\nTwo questions to try{known}:")
    for example in (EDGE_EXAMPLE, CLOUD_EXAMPLE):
        body = json.dumps(example)
        console.print(
            f"\n  curl -s {url}/v1/answer -H 'content-type: application/json' -d '{body}'",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
    console.print()
