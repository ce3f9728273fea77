"""The terms of a report, one line each."""

from collections.abc import Collection

_TERMS = {
    "tau": "the threshold: an edge answer is kept where its signal is at least tau (`>=`), and the question goes to the cloud otherwise.",
    "signal": "the number that is compared with tau; the table of the signals holds all that the edge gives.",
    "verbalized, expected": (
        "two signals: the confidence that the edge would write (0.0, 0.25, 0.5, 0.75 or 1.0), and the mean over the probabilities of these five."
    ),
    "top probability, margin": (
        "two signals: the probability of the most probable option, and that probability minus the one of the second option."
    ),
    "fitted": "a signal: the probability that the most probable option is correct, by the logistic model of a calibration.",
    "kept, coverage": "the share of questions that the edge answers itself, those with the highest signal first.",
    "error among kept": "the error rate of the edge answers that are kept; the risk of the risk–coverage curve.",
    "cloud routed": "the share of questions that goes to the cloud, of those with both answers.",
    "random": "the accuracy of sending the same share to the cloud at random: r · cloud + (1 - r) · edge.",
    "system": "the accuracy of edge and cloud together, each question answered by the side that it is routed to.",
    "lift over random": "system minus random, in points: what is gained because the signal is lower where the edge is wrong.",
    "gap recovered": "(system - edge) / (cloud - edge); not defined where the cloud is no better than the edge.",
    "chance": "the accuracy of answering at random.",
    "mean (macro), mean (micro)": "the mean over domains, and the mean over questions.",
    "AUROC": (
        "the probability that a correct answer has a higher signal than a wrong one: 1 is perfect, 0.5 is no better than chance; not defined where all "
        "answers are correct or all are wrong."
    ),
    "ECE": "expected calibration error: the mean distance between signal and accuracy over bins of equal width, or of equal mass; 0 is best.",
    "Brier": "the mean squared distance between signal and correctness (1 or 0); 0 is best.",
    "risk–coverage, AURC": "the error among the k answers with the highest signal for every k, and the mean of that curve; lower is better.",
    "APGR": "the gap recovered, averaged over cloud rates 10 %, 20 % … 100 %; about 0.55 for random routing.",
    "oracle": "the best that any router could do: it knows which questions only the cloud answers correctly.",
    "order-flip rate": "the share of questions whose chosen option changes when the options are offered in the opposite order.",
    "interval, [low, high]": (
        "95 %: in about 95 of 100 samples the interval contains the true value. Shares of the edge alone: exact (Clopper and Pearson); "
        "all others: percentile bootstrap over questions. None is given for a single question, or where all questions have the same result."
    ),
}
_NEED_CLOUD = {"cloud routed", "random", "system", "lift over random", "gap recovered", "mean (macro), mean (micro)", "APGR", "oracle"}


def terms(*, cloud: bool, left_out: Collection[str] = ()) -> str:
    """A Markdown list; without a cloud only the terms that need none."""
    shown = {name: text for name, text in _TERMS.items() if name not in left_out and (cloud or name not in _NEED_CLOUD)}
    return "\n".join(f"- **{name}**: {text}" for name, text in shown.items())
