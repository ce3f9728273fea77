"""A model's preference for letters, and what is left of a verdict when it is divided out.

A small model gives some letters more probability than others, whatever the options say. Where the preference is known as a distribution π
over the letters of k options, a distribution P over these letters is corrected by

    P'(a) = (P(a) / π(a)) / Σ_b (P(b) / π(b))

(Zheng et al. 2024, PriDe, arXiv 2309.03882, for the label-free correction; they estimate π by permuting the options). Here π is the mean of the
model's distributions over many questions with k options, which needs neither correct answers nor a second pass; `foggate calibrate` estimates it
(`app/evaluation/letter_prior.py`), and a calibration holds it. RBCorr (Bhatt and Ivanova 2026, arXiv 2602.12445) also divides by a mean, over
questions whose correct letters are spread evenly; where they are not, a mean holds some of that too. A prior belongs to the letters as they
were presented, so a question that is read in another order is corrected before its options are put back into their own order.

What the correction does to a joint distribution P(c, a) of confidence and letter: the model writes its confidence before the letter, so a
preference for letters says nothing about it. P(c) stays, and P(a) becomes P'(a). Where every P(c, a) is positive, these are the marginals of exactly
one joint distribution P(c, a) · r(c) · s(a) with a factor for each bucket and each letter, which of all that have them is the nearest to the model's own in
the Kullback-Leibler divergence (Csiszár 1975). It is not computed, because every number that is shown, every feature and every signal is read from the
marginals. The answer of the verbalized confidence is the exception: it is the letter that decoding would write, and stays so. Weighting the whole
joint by 1 / π(a) instead would change P(c) too, by an amount that no record holds, so a report could not show what the gateway serves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.core.distribution import by_letter, is_distribution, most_probable, normalised
from app.core.verdict import Signal, Verdict


@dataclass(frozen=True, slots=True)
class LetterPrior:
    """The preference for letters by the number of options.

    Attributes:
        by_options: for each number of options that is known, one positive probability per letter; each row sums to 1.
    """

    by_options: Mapping[int, tuple[float, ...]]

    def knows(self, options: int) -> bool:
        """Whether distributions over so many options are corrected. Of an unknown number of options no preference is assumed."""
        prior = self.by_options.get(options)
        return prior is not None and max(prior) > min(prior)

    def corrected(self, probabilities: Sequence[float]) -> tuple[float, ...]:
        """P' of a distribution over the letters as they were presented; the same numbers where the prior is uniform or unknown."""
        if not self.knows(len(probabilities)):
            return tuple(probabilities)
        prior = self.by_options[len(probabilities)]
        return normalised([[share / preference for share, preference in zip(probabilities, prior, strict=True)]])[0]

    def read(self, verdict: Verdict) -> Verdict:
        """The verdict with its distribution over the letters corrected; itself where it has none, or is corrected already."""
        answers = verdict.answer_probabilities
        if answers is None or isinstance(verdict, CorrectedVerdict) or not self.knows(len(answers)):
            return verdict
        return CorrectedVerdict(verdict, self.corrected(list(answers.values())))


@dataclass(frozen=True, slots=True)
class CorrectedVerdict(Verdict):
    """A verdict whose distribution over the letters is corrected by a letter prior.

    Attributes:
        first: verdict as the edge gave it; the confidences are read from it, and the letter that goes with the verbalized one.
        letters: corrected probability of each offered letter, in order; they sum to 1.
        fitted: as in `JointVerdict`.
    """

    first: Verdict
    letters: tuple[float, ...]
    fitted: float | None = None

    def is_sound(self, options: int) -> bool:
        """Whether both distributions are about so many letters."""
        return self.first.is_sound(options) and len(self.letters) == options and is_distribution(self.letters)

    @property
    def confidence(self) -> float | None:
        """The verbalized confidence."""
        return self.first.confidence

    @property
    def expected_confidence(self) -> float | None:
        """The mean of the bucket distribution, which the correction does not change."""
        return self.first.expected_confidence

    @property
    def confidence_probabilities(self) -> Mapping[str, float] | None:
        """P(bucket) by label, which the correction does not change."""
        return self.first.confidence_probabilities

    @property
    def answer_probabilities(self) -> Mapping[str, float]:
        """The corrected P(letter) by letter."""
        return by_letter(self.letters)

    def at_temperature(self, temperature: float) -> "CorrectedVerdict":
        """This verdict with its expected confidence at a temperature."""
        return replace(self, first=self.first.at_temperature(temperature))

    def with_fitted(self, value: float | None) -> "CorrectedVerdict":
        """This verdict with a fitted probability."""
        return replace(self, fitted=value)

    def answer(self, signal: Signal) -> str:
        """The most probable letter after the correction; for the verbalized confidence the letter that decoding would write."""
        if signal is Signal.VERBALIZED:
            return self.first.answer(signal)
        return most_probable(self.answer_probabilities)

    def answer_distribution(self, signal: Signal) -> Mapping[str, float] | None:
        """The corrected P(letter); for the verbalized confidence the distribution that its letter was chosen from."""
        return self.first.answer_distribution(signal) if signal is Signal.VERBALIZED else self.answer_probabilities
