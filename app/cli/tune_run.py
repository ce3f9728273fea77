"""The steps of `foggate tune` after its options are read: collect, report, calibrate, and write the configuration and the page."""

import datetime as dt
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app.cli.bars import working
from app.cli.eval_collect import CollectPlan, collect_answers, show_collected
from app.cli.eval_report import run_report
from app.cli.exit_codes import FAILED
from app.cli.output import print_json, writing
from app.cli.tune_files import CALIBRATION, GATEWAY, PAGE, RECORDS, tuned_settings, write_gateway
from app.core import interrupts
from app.core.errors import ConfigError
from app.core.verdict import Signal

if TYPE_CHECKING:
    from app.config.settings import Settings
    from app.data.dataset import Item
    from app.data.records import Record
    from app.evaluation.calibrate import Fit
    from app.evaluation.choose_prior import PriorMode
    from app.evaluation.collect import Collected
    from app.evaluation.page import Tuned
    from app.evaluation.tuning import Wanted

_FILES = (
    (GATEWAY, "the configuration of the gateway"),
    (CALIBRATION, "the threshold, the signal and what they achieve"),
    ("report.md, report.json, outcomes.jsonl", "the whole report, with all signals"),
    (RECORDS, "what edge and cloud answered"),
)


@dataclass(frozen=True, slots=True)
class Tuning:
    """One run.

    Attributes:
        settings: settings of the gateway to tune.
        out: folder to write to.
        wanted: the target as it was asked for.
        signal: number that tau is compared with; None leaves the choice to the calibration.
        min_domain: fewest questions of a domain with a threshold of its own.
        seed: seed of every draw.
        pictures: whether the report has pictures.
        again: the command of this run without its target, for the page.
        letter_prior: whether the calibration divides out a letter prior.
    """

    settings: "Settings"
    out: Path
    wanted: "Wanted"
    signal: Signal | None
    min_domain: int
    seed: int
    pictures: bool
    again: str
    letter_prior: "PriorMode" = "auto"

    @property
    def records(self) -> Path:
        """The records file."""
        return self.out / RECORDS

    @property
    def hint(self) -> str:
        """What to do after an interruption."""
        return f"the same command continues from what is recorded in {self.records}"


def check_recorded(recorded: Mapping[str, "Record"], items: Sequence["Item"], out: Path) -> None:
    """Refuse a folder whose records are about other questions than the data. Raises ConfigError."""
    fingerprints = {item.id: item.fingerprint for item in items}
    foreign = [name for name, record in recorded.items() if record.get("fingerprint") != fingerprints.get(name)]
    if foreign:
        raise ConfigError(
            f"{out / RECORDS} holds answers to {len(foreign)} questions that are not in the data, or not the same there (such as '{foreign[0]}'): "
            "choose another --out, or give the same --data"
        )


def collected(run: Tuning, plan: CollectPlan, recorded: Mapping[str, "Record"], *, as_json: bool) -> list[str]:
    """Ask for the answers that are missing. Nothing is loaded where none is and the model is the recorded one.

    Args:
        run: the run.
        plan: what to ask.
        recorded: what is recorded already, by id.
        as_json: whether the output is JSON.

    Returns:
        Sentences about questions without an answer.

    Raises:
        typer.Exit: the cloud refuses everything, so that most questions were not asked.
        ConfigError: the records belong to another model, or cannot be written.
    """
    if _is_complete(plan, recorded) and _is_same_edge(run.settings, recorded):
        return []
    with writing(run.records, "what was recorded before is kept"), interrupts.resumable(run.hint):
        done, engine_s, hardware = interrupts.run(collect_answers(run.settings, plan))
    if done.stopped or done.unasked:
        if as_json:
            print_json({"stopped": done.stopped, "unasked": done.unasked, "failures": done.failures})
        else:
            show_collected(done, {"questions_per_s": None, "ratio_vs_engine": None}, engine_s, plan, hardware)
        raise typer.Exit(FAILED)
    return _failed(done)


def _failed(done: "Collected") -> list[str]:
    if not done.incomplete:
        return []
    kinds = ", ".join(f"{failure['n']} × {failure['kind']}: {failure['message']}" for failure in done.failures)
    return [f"{done.failed} of {done.total} questions lack an answer ({kinds}); the same command asks them again."]


def _is_complete(plan: CollectPlan, recorded: Mapping[str, "Record"]) -> bool:
    from app.evaluation.table import has_cloud

    def done(item: "Item") -> bool:
        record = recorded.get(item.id)
        cloud = plan.use_cloud or bool((plan.known.get(item.id) or {}).get("cloud_answer"))
        return record is not None and record.get("edge_answer") is not None and (not cloud or has_cloud(record))

    return all(map(done, plan.items))


def _is_same_edge(settings: "Settings", recorded: Mapping[str, "Record"]) -> bool:
    """Whether the configured edge and cloud model are those of the records, as far as it can be known without reading weights."""
    from app.cloud.build import cloud_models
    from app.core.prompt import PROMPT_VERSION
    from app.edge.build import find_edge_model

    with working("looking for the edge model"):
        edge = find_edge_model(settings).identity()
    keys = ("edge_model", "edge_fingerprint", "prompt_version", "prompt_fingerprint")
    ours = (edge.model, edge.fingerprint, PROMPT_VERSION, edge.prompt_fingerprint)
    asked = {None} if settings.cloud.base_url is None else {None, cloud_models(settings)}
    same_cloud = settings.cloud.base_url is None or all(record.get("cloud_asked") in asked for record in recorded.values())
    return same_cloud and all(tuple(record.get(key) for key in keys) == ours for record in recorded.values())


def conclude(run: Tuning, notes: Sequence[str]) -> tuple["Tuned", dict[str, Any]]:
    """Report, calibrate, and write the configuration and the page.

    Args:
        run: a run whose answers are recorded.
        notes: sentences about the collecting.

    Returns:
        What the page shows, and the result as JSON has it.

    Raises:
        ConfigError: no threshold reaches the target; the report about the records is written then, and nothing else.
    """
    from app.data.calibration import write_calibration
    from app.data.records import load_records
    from app.evaluation.page import Tuned, render_page
    from app.evaluation.tuning import advice

    rows = load_records(run.records)
    target, why = run.wanted.target(rows, run.seed)
    path = run.out / CALIBRATION
    fit = _calibrated(run, rows, target)
    write_calibration(path, fit.calibration)
    settings, replaced = tuned_settings(run.settings, path)
    report = run_report(
        settings, records=run.records, out=run.out, seed=run.seed, as_json=False, calibration=path, pictures=run.pictures, shown=False
    )
    said = [*notes, *advice(fit.calibration), *fit.notes, *([fit.calibration.scope] if fit.calibration.scope else []), *replaced]
    with writing(run.out):
        said += write_gateway(run.out / GATEWAY, settings, _about(run, fit))
        tuned = Tuned(fit.calibration, _test_half(rows, fit), why, said, _commands(run), _FILES, report["hardware"])
        scratch = run.out / (PAGE + ".partial")
        scratch.write_text(render_page(tuned), encoding="utf-8")
        scratch.replace(run.out / PAGE)
    return tuned, _as_json(run, tuned)


def _calibrated(run: Tuning, rows: "Sequence[Record]", target: Any) -> "Fit":
    from app.evaluation.calibrate import calibrate

    today = dt.datetime.now(tz=dt.UTC).date()
    try:
        with working("calibrating"):
            return calibrate(
                rows,
                target=target,
                signal=run.signal,
                letter_prior=run.letter_prior,
                min_domain=run.min_domain,
                seed=run.seed,
                today=today,
            )
    except ConfigError as error:
        run_report(run.settings, records=run.records, out=run.out, seed=run.seed, as_json=False, pictures=run.pictures, shown=False)
        more = ""
        if target.kind == "edge_error":
            plan = ["foggate", "calibrate", "--plan", "--records", str(run.records), "--max-edge-error", f"{target.value:g}"]
            more = f"\nhow many questions this promise needs: {shlex.join([*plan, '--delta', f'{target.delta:g}'])}"
        raise ConfigError(
            f"{error.message}{more}\nnothing was tuned; the answers are kept, {run.out / 'report.md'} shows them, and another target needs no new ones"
        ) from None


def _test_half(rows: "Sequence[Record]", fit: "Fit") -> Any:
    """The questions that check the calibration, with the signals as it serves them."""
    from app.evaluation.calibrated import served_table
    from app.evaluation.split import halves

    found = fit.calibration
    table = served_table(rows, found, temperature=found.temperature, cloud_needed=found.target.kind == "accuracy")
    return table.rows(halves(len(table), found.seed)[1])


def _about(run: Tuning, fit: "Fit") -> list[str]:
    from app.evaluation.page import headline, target_of

    return [
        f"A gateway that foggate tune has tuned. Run: foggate serve --config {shlex.quote(str(run.out / GATEWAY))}",
        headline(fit.calibration),
        target_of(fit.calibration),
        f"More: {PAGE} beside this file. The path of the calibration is absolute: change it if you move the folder.",
    ]


def _commands(run: Tuning) -> list[tuple[str, str]]:
    config = shlex.quote(str(run.out / GATEWAY))
    server = run.settings.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    return [
        ("Start the gateway:", f"foggate serve --config {config}"),
        (
            "Ask it a question, in another terminal:",
            f'foggate ask --url http://{host}:{server.port} "Which of these numbers is prime?" 21 27 33 29',
        ),
        ("Choose another target; what is recorded is not asked again:", f"{run.again} --target-cloud-rate 0.4"),
    ]


def _as_json(run: Tuning, tuned: "Tuned") -> dict[str, Any]:
    found = tuned.calibration.model_dump(mode="json")
    keys = ("signal", "tau", "domains", "target", "achieved", "recommendation", "n_fit", "n_test", "letter_prior")
    files = {"config": GATEWAY, "page": PAGE, "calibration": CALIBRATION, "report": "report.md", "records": RECORDS}
    return {
        **{key: str(run.out / name) for key, name in files.items()},
        **{key: found[key] for key in keys},
        "why": tuned.why,
        "notes": list(tuned.notes),
        "commands": [command for _, command in tuned.commands],
    }
