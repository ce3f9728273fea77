"""`foggate evolve`: trains by the self-evolving recipe."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import bars, working
from app.cli.options import AsJson
from app.cli.output import print_json, print_line, writing
from app.cli.training_run import config_of, prepare, training_installed
from app.core import interrupts


def evolve(
    evolve_config: Annotated[
        Path,
        typer.Option("--config", metavar="FILE", help="YAML file that says what is trained and on which data, as in config/evolve.yaml."),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the run.")],
    rounds: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Stop after this round; --resume continues later.", show_default="all rounds")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
    judge: Annotated[
        bool,
        typer.Option("--judge", help="Decide again, by the gate of this --config, which finished rounds are promoted; nothing is trained."),
    ] = False,
    allow_uniform_labels: Annotated[
        bool,
        typer.Option(
            "--allow-uniform-labels",
            help="Train through the one pass (loss: joint) although nearly all confidence labels of a domain are alike.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train by the self-evolving recipe. It is R0, then rounds of labelling, fine-tuning, merging and measuring."""
    from app.config.loading import load_settings
    from app.telemetry.logs import configure_logging
    from app.training.config import load_config

    settings = load_settings(None)
    configure_logging("error")
    chosen = load_config(evolve_config)
    if judge:
        # The trained checkpoints stay as they are, so the rule for a refused round must stay too.
        began = config_of(out)
        chosen = began.model_copy(update={"gate": chosen.gate.model_copy(update={"on_failure": began.gate.on_failure})})
    with working(f"loading the base model {chosen.base}", at_once=True), training_installed():
        given = prepare(settings, chosen)
        from app.training.chain import open_chain
        from app.training.evolve import run_rounds
        from app.training.promotion import decide_again
        from app.training.publish.report import binding_sentences
        from app.training.publish.results import write_results
        from app.training.trainer import refuse_launchers
    refuse_launchers(os.environ)
    continues = "--resume continues from the last finished step"
    with writing(out, continues):
        with working(f"loading the base model {chosen.base}"):
            chain = open_chain(chosen, out, resume=resume or judge, trains=not judge, **given)
        for sentence in chain.pools.skipped:
            sys.stderr.write(sentence + "\n")
        with interrupts.resumable(continues), bars() as progress:
            chain.progress, chain.allow_uniform_labels = progress, allow_uniform_labels
            if judge:
                decide_again(chain)
            else:
                run_rounds(chain, until=rounds)
            said = write_results(chain)
    if as_json:
        print_json(chain.state.model_dump(mode="json"))
        return
    for sentence in binding_sentences(chain.state):
        print_line(sentence)
    for entry in chain.state.rounds:
        print_line(f"{entry.name} {entry.domain or 'buffer'}: {entry.new_rows} new + {entry.replay_rows} replayed, {entry.decision}")
    for sentence in said:
        print_line(sentence)
    print_line(f"the full report: {out / 'report.md'}")
