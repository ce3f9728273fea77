"""The policy: which answers of the edge model are kept."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from app.config.sections.base import Section, Tau, setting
from app.core.verdict import Signal


class DomainSettings(Section):
    tau: Tau = Field(description="Threshold of this domain. Precedence: request, domain, calibration file, `policy.tau`.")


class PolicySettings(Section):
    tau: Tau | None = setting(
        None,
        "Threshold: the edge answer is kept where `signal >= tau`; a threshold never changes the signal. null: the threshold of the "
        'calibration, otherwise 0.5 (docs/configuration.md, "Thresholds and signals").',
    )
    signal: Signal | None = setting(
        None,
        "`verbalized` is the confidence that greedy decoding writes, `expected` the mean of the confidences, `top_probability` the "
        "largest probability of an option, `margin` that minus the second one, `fitted` the probability of being correct by the model "
        "of a calibration. null: the signal of the calibration; without one `verbalized` for FogGen's models and those of "
        "`foggate evolve`, `top_probability` for any other.",
    )
    calibration: Path | None = setting(
        None,
        "File that `foggate calibrate` wrote for one edge model: signal, temperature, thresholds and, where it holds one, a letter prior. "
        "It is refused if it belongs to another edge model, adapter or prompt, or if `policy.signal` is not its signal. null: a builtin "
        "model uses the calibration that comes with it (`builtin` has one), unless another signal is set; other models have none.",
    )
    domains: dict[str, DomainSettings] = setting({}, "Thresholds for single domains, by the domain's name.", example={"law": {"tau": 0.75}})
    on_cloud_failure: Literal["edge", "error"] = setting(
        "edge",
        "What a caller gets when the cloud was wanted and failed: `edge` gives the edge answer with `degraded: true`, `error` gives 502 "
        "or 504.",
    )
