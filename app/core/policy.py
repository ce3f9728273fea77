"""(verdict, tau) → Decision. The one place where a signal is compared with tau."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core.fitted import Logistic, fitted_probability
from app.core.letter_prior import LetterPrior
from app.core.option_numbers import OptionNumbers
from app.core.outcome import Decision, Reason, Route, RouteRequest
from app.core.permutation import Permutation
from app.core.verdict import Signal, Verdict


@dataclass(frozen=True, slots=True)
class Policy:
    """The routing policy of one gateway.

    Attributes:
        tau: the threshold of questions whose domain has none.
        signal: name of the number that is compared with tau. Where the edge does not give it, every question goes to the cloud.
        temperature: temperature of the expected confidence.
        domains: thresholds by domain.
        fitted: the model behind the signal `fitted`; None without one. Where a verdict lacks one of its features, there is no signal.
        permutation: rule by which a question just below the threshold is read again in other orders; None where none is.
        letter_prior: preference for letters that is divided out of every verdict; None where none is.
        options: numbers of options of the questions that a calibration was made from; None without one, or where it does not say. A question
            outside it has no fitted probability, and its edge answer is kept only if the caller forces that side.
    """

    tau: float = 0.5
    signal: Signal = Signal.VERBALIZED
    temperature: float = 1.0
    domains: Mapping[str, float] = field(default_factory=dict)
    fitted: Logistic | None = None
    permutation: Permutation | None = None
    letter_prior: LetterPrior | None = None
    options: OptionNumbers | None = None

    def tau_for(self, domain: str | None, requested: float | None) -> float:
        """The threshold that applies: the request's, else the domain's, else the global one."""
        if requested is not None:
            return requested
        return self.domains.get(domain, self.tau) if domain is not None else self.tau

    def read(self, verdict: Verdict) -> Verdict:
        """The verdict with its letters corrected by this policy's prior, its expected confidence at this policy's temperature, and its
        fitted probability by this policy's model. Reading it again changes nothing.
        """
        read = (verdict if self.letter_prior is None else self.letter_prior.read(verdict)).at_temperature(self.temperature)
        return read if self.fitted is None else read.with_fitted(fitted_probability(self.fitted, read) if self.speaks_of(read) else None)

    def speaks_of(self, verdict: Verdict) -> bool:
        """Whether the thresholds were chosen on questions with as many options as this verdict's has, as far as is known."""
        return self.options is None or self.options.speaks_of(verdict)

    def rereads(self, verdict: Verdict, decision: Decision) -> Permutation | None:
        """The rule by which a question is read again before the cloud is asked; None where it is not."""
        value = verdict.signal(decision.signal)
        if self.permutation is None or decision.reason is not Reason.LOW_CONFIDENCE or value is None:
            return None
        return self.permutation if self.permutation.wants(value, decision.tau) else None

    def decide(
        self,
        verdict: Verdict,
        *,
        domain: str | None = None,
        tau: float | None = None,
        route: RouteRequest = RouteRequest.AUTO,
        max_tau: float | None = None,
    ) -> Decision:
        """Keep the edge answer when `signal >= tau`, unless the caller forces a side.

        A verdict without the signal is never kept, whatever tau is, nor one on a question that the calibration does not speak of: nothing
        could show how good it is.

        Args:
            verdict: the edge model's output.
            domain: the question's domain.
            tau: the request's own threshold.
            route: the side that the caller wants.
            max_tau: the highest threshold at this moment; None for no bound.
        """
        applied = self.tau_for(domain, tau)
        applied = applied if max_tau is None else min(applied, max_tau)
        if route is not RouteRequest.AUTO:
            return Decision(Route(route.value), Reason.FORCED, applied, self.signal)
        if not self.speaks_of(verdict):
            return Decision(Route.CLOUD, Reason.NOT_CALIBRATED, applied, self.signal)
        value = verdict.signal(self.signal)
        if value is None:
            return Decision(Route.CLOUD, Reason.NO_SIGNAL, applied, self.signal)
        if value >= applied:
            return Decision(Route.EDGE, Reason.CONFIDENT, applied, self.signal)
        return Decision(Route.CLOUD, Reason.LOW_CONFIDENCE, applied, self.signal)
