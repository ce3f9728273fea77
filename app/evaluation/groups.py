"""Which questions share a threshold, and for which questions its promise holds.

A threshold is chosen, certified and measured on questions of the kind that it will serve, and on no others. A result for a
mixture of domains holds for this mixture: a single domain in it may be worse, and nothing is known about other domains.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.option_numbers import OptionNumbers
from app.data.target import Target
from app.evaluation import statistics as st
from app.evaluation.risk import proposing_part
from app.evaluation.table import Table


@dataclass(frozen=True, slots=True)
class Groups:
    """Domains with a threshold of their own, and the others.

    Attributes:
        sizes: number of questions of the fit half, by domain of the data.
        own: domains with a threshold of their own.
        pooled: domains that are too small for their own; empty where every domain, or none, has its own.
    """

    sizes: dict[str, int]
    own: tuple[str, ...]
    pooled: tuple[str, ...]

    @property
    def promises(self) -> int:
        """Number of thresholds with a promise: those of single domains, and the shared one."""
        return len(self.own) + 1

    def shared(self, table: Table) -> st.Flags:
        """Flags of the questions that represent those which the shared threshold will serve, `[n]`.

        These are the pooled domains. Without any, the shared threshold serves questions that name no domain: everything.
        """
        return np.isin(table.domain, self.pooled) if self.pooled else np.ones(len(table), dtype=np.bool_)

    def proposing(self, fit: Table, seed: int) -> st.Flags:
        """Flags of a third of the questions of each threshold, `[n]`: these propose thresholds, the others test them."""
        flags = np.zeros(len(fit), dtype=np.bool_)
        parts = [fit.domain == name for name in self.own]
        if self.pooled or not self.own:
            parts.append(self.shared(fit))
        for part in parts:
            flags[np.flatnonzero(part)] = proposing_part(int(part.sum()), seed)
        return flags

    @property
    def where(self) -> str:
        """The name of the questions of the shared threshold in messages."""
        if self.pooled:
            return f"the pooled domains {_listed(self.pooled)} together"
        return "all domains together" + (", as questions that name no domain may be," if self.own else "")


def group(fit: Table, domains: Sequence[str], *, per_domain: bool, min_domain: int) -> Groups:
    """Sort domains into those with their own threshold and those that share one.

    Args:
        fit: questions of the fit half.
        domains: all domains of the data; the fit half may lack some.
        per_domain: whether domains get their own thresholds.
        min_domain: number of questions of the fit half that a domain needs for its own threshold.
    """
    sizes = {name: int((fit.domain == name).sum()) for name in sorted(domains)}
    own = tuple(name for name, size in sizes.items() if per_domain and size >= min_domain)
    pooled = tuple(name for name in sizes if per_domain and name not in own)
    return Groups(sizes, own, pooled)


def scope(groups: Groups, target: Target, options: OptionNumbers | None, *, shared_missed: bool) -> str:
    """For which questions the target is promised, and for which it is not.

    Args:
        groups: which domains share a threshold.
        target: target of the calibration; only an edge error is promised.
        options: numbers of options that the thresholds are for; None for all.
        shared_missed: whether the shared threshold misses the target.
    """
    subject = "The promise holds" if target.kind == "edge_error" else "The target is set"
    covered = []
    if groups.own:
        covered.append(f"for each of the domains {_listed(groups.own)}" if len(groups.own) > 1 else f"for the domain {groups.own[0]}")
    mixture = "in a mixture like that of the data (not for each of them)"
    if not shared_missed:
        if len(groups.pooled) == 1:
            covered.append(f"for the pooled domain {groups.pooled[0]}")
        elif groups.pooled:
            covered.append(f"for the pooled domains {_listed(groups.pooled)} {mixture}")
        elif groups.own:
            covered.append("for questions that name no domain, if their domains are mixed as in the data")
        else:
            covered.append(f"for all domains {mixture}")
    if groups.own or groups.pooled:
        left = [] if not (shared_missed and groups.pooled) else [f"the pooled domains {_listed(groups.pooled)}"]
        left += ["domains that are not in the data"]
        left += ["questions that name no domain"] if groups.pooled or shared_missed else []
        uncovered = f"Nothing is promised for {_listed(left, last=' or ')}: they get the shared threshold."
    else:
        uncovered = "Nothing is promised for domains that are not in the data."
    others = "" if options is None else f" Questions with another number of options than {options} go to the cloud."
    return f"{subject} {_listed(covered, last=' and ')}. {uncovered}{others}"


def _listed(names: Sequence[str], last: str = ", ") -> str:
    return last.join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
