"""What is routed on where no calibration says it: the signal, the threshold, and the warning that the threshold is not calibrated."""

from collections.abc import Collection

from app.core.policy import Policy
from app.core.verdict import Signal

DEFAULT_TAU = 0.5
# A model that was trained to write its confidence is used as FogGen's cards say: that confidence, and 0.5. The confidence of any other
# model means nothing, but its distribution over the options does.
_TRAINED = (Signal.VERBALIZED, Signal.TOP_PROBABILITY, Signal.EXPECTED)
_UNTRAINED = (Signal.TOP_PROBABILITY, Signal.VERBALIZED, Signal.EXPECTED)


def usual_signal(given: Collection[Signal], *, trained: bool) -> Signal:
    """The signal of an edge model without a calibration and without a configured signal. No threshold has an influence on it.

    Args:
        given: the signals that the edge gives.
        trained: whether the model was trained to write its confidence.

    Returns:
        The first one that the edge gives; the name alone where it gives none.
    """
    wanted = _TRAINED if trained else _UNTRAINED
    return next((signal for signal in (*wanted, *Signal) if signal in given), wanted[0])


def uncalibrated_note(policy: Policy, model: str, *, trained: bool, chosen: bool) -> str | None:
    """The warning that the threshold is not calibrated, with the command that mends it.

    Args:
        policy: a policy without a calibration.
        model: name of the edge model.
        trained: whether the model was trained to write its confidence.
        chosen: whether both signal and threshold are configured.

    Returns:
        None where the signal is that of FogGen's protocol, or where both signal and threshold were configured on purpose.
    """
    if chosen or (trained and policy.signal is Signal.VERBALIZED):
        return None
    return (
        f"the threshold is not calibrated: tau {policy.tau:g} is compared with the {policy.signal.words} of {model}, and nobody has measured "
        "which answers that keeps. Calibrate it on your own questions: foggate eval collect --data mine.jsonl --out records.jsonl && "
        f"foggate calibrate --records records.jsonl --signal {policy.signal} --target-cloud-rate 0.4, then set policy.calibration to the file"
    )
