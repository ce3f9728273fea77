"""`foggate cloud check`: shows whether each endpoint of the configured cloud works."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.options import AsJson, ConfigFile, require_cloud
from app.cli.output import print_json, stdout_console

if TYPE_CHECKING:
    from app.cloud.check import Asked, Checked


def cloud_check(
    config: ConfigFile = None,
    questions: Annotated[
        int, typer.Option(min=1, max=10, metavar="N", help="Number of questions to each endpoint; each one is a paid call.")
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """Ask each cloud endpoint a few easy questions. The exit code is 0 if a letter was read in every reply, and 1 otherwise."""
    import asyncio
    from dataclasses import asdict

    from app.cloud.build import build_single_clients
    from app.cloud.check import check
    from app.config.loading import load_settings
    from app.telemetry.logs import configure_logging

    # Failures are shown below.
    configure_logging("critical")
    settings = load_settings(config)
    require_cloud(settings)
    probe = settings.cloud.answer_format == "auto" and settings.cloud.answer_format_probe

    async def run() -> list["Checked"]:
        return [
            await check(client_of, questions=questions, timeout_s=settings.cloud.timeout_s, probe=probe)
            for client_of in build_single_clients(settings)
        ]

    found = asyncio.run(run())
    if as_json:
        print_json({"endpoints": [{**asdict(one), "works": one.works, "problems": one.problems} for one in found]})
    else:
        for one in found:
            _show(one, stdout_console())
    if not all(one.works for one in found):
        raise typer.Exit(1)


def _show(checked: "Checked", console: Console) -> None:
    console.print(f"[bold]{escape(checked.name)}[/]  {escape(checked.url)}  {escape(checked.model)}", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for title in ("status", "seconds", "format", "tokens", "read", "correct", "reply"):
        table.add_column(title, overflow="fold")
    for one in checked.asked:
        table.add_row(*_row(one))
    console.print(table)
    for problem in checked.problems:
        console.print(f"[red]{escape(problem)}[/]", soft_wrap=True)
    correct = sum(one.read == one.correct for one in checked.asked)
    if checked.works:
        console.print(
            f"[green]works[/]: a letter was read in each of {len(checked.asked)} replies, and {correct} of the letters are correct\n"
        )
    else:
        read = sum(one.read is not None for one in checked.asked)
        console.print(f"[red]does not work[/]: a letter was read in {read} of {len(checked.asked)} replies\n")


def _row(one: "Asked") -> list[str]:
    tokens = "+".join(str(one.usage[name]) for name in ("prompt_tokens", "completion_tokens") if name in one.usage)
    said_by_status = one.status is not None and one.outcome in {str(one.status), f"{one.status // 100}xx"}
    status = str(one.status) if said_by_status else one.outcome if one.status is None else f"{one.status} {one.outcome}"
    return [status, f"{one.seconds:.2f}", one.answer_format, tokens or "-", one.read or "-", one.correct, escape(one.reply)]
