"""C4 by simulation: how often the interval of the population ε-rank covers it, and its width."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy.stats import beta, binom

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.instances.populations import Population, populations, unseen
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

CLAIM = "sample-rank"

CONFIDENCE = 0.95

#: Trials and samples per trial, per effort.
_SIZES = {"quick": (12, (600,)), "default": (40, (500, 2000)), "full": (400, (500, 2000, 8000))}

# Coverage below the level by chance alone is this rare before it counts as a refutation.
_SIGNIFICANCE = 1e-3

_RESAMPLES = 40


def coverage(population: Population, n_samples: int, trials: int, seed: int) -> dict[str, Any]:
    """Draw samples and count how often the interval holds r_ε of the population."""
    random = np.random.default_rng([seed, n_samples])
    rank = population.rank()
    hits = {"interval": 0, "certain lower end": 0, "estimated leverage": 0, "bootstrap": 0}
    widths: dict[str, list[int]] = {"interval": [], "plain": [], "bootstrap": []}
    leverages = []
    for _ in range(trials):
        features = population.draw(random, n_samples)
        try:
            found = population.ask(features, CONFIDENCE, resamples=_RESAMPLES)
        except InputError:
            # Ends that cross are refused where the leverage is known: no interval, so a miss.
            continue
        boot = found.bootstrap
        assert boot is not None
        estimated = found
        if population.guaranteed:
            estimated = population.ask(features, CONFIDENCE, known=False)
        hits["interval"] += rank in found
        hits["certain lower end"] += found.certain_lower <= rank
        hits["estimated leverage"] += rank in estimated
        hits["bootstrap"] += boot.lower <= rank <= boot.upper
        widths["interval"].append(found.upper - found.lower)
        widths["plain"].append(found.plain.upper - found.plain.lower)
        widths["bootstrap"].append(boot.upper - boot.lower)
        leverages.append(found.leverage)
    count = hits["interval"]
    return {
        "population": population.name,
        "N": n_samples,
        "ε": population.eps,
        "rank": rank,
        "of": len(population.gram),
        "leverage": float(np.median(leverages)) if leverages else None,
        "trials": trials,
        "covered": count,
        # Clopper and Pearson, one-sided.
        "at least": float(beta.ppf(0.05, count, trials - count + 1)) if count else 0.0,
        **{f"coverage, {name}": hit / trials for name, hit in hits.items() if name != "interval"},
        **{f"width, {name}": float(np.mean(values)) for name, values in widths.items() if values},
    }


def check_coverage(name: str, context: Context) -> list[Evidence]:
    """Measure coverage on one family."""
    population = next(law for law in populations() if law.name == name)
    trials, sizes = _SIZES[context.effort]
    rows = [coverage(population, size, trials, context.seed) for size in sizes]
    covered, total = sum(row["covered"] for row in rows), trials * len(rows)
    # Fewer may be chance: only a count that chance makes very rare refutes.
    state: State = "passed" if covered >= CONFIDENCE * total else "undecided"
    if binom.cdf(covered, total, CONFIDENCE) < _SIGNIFICANCE:
        state = "refuted"
    kind = "known" if population.guaranteed else "estimated from the sample"
    return [
        Evidence(
            CLAIM,
            "empirical",
            state,
            f"Coverage of the {CONFIDENCE:.0%} interval on {name}, leverage {kind}",
            {"covered": covered, "trials": total, "confidence": CONFIDENCE},
            witness={"rows": rows} if state == "refuted" else None,
            cause=f"covered in {covered} of {plural(total, 'trial')}"
            if state == "undecided"
            else None,
            rows=rows,
        )
    ]


def check_unseen(context: Context) -> list[Evidence]:
    """Plant a direction too rare to be seen: only what is guaranteed may survive it."""
    trials, sizes = _SIZES[context.effort]
    row = coverage(unseen(sizes[0]), sizes[0], max(trials, 12), context.seed)
    level = CONFIDENCE * row["trials"]
    good = row["covered"] >= level and row["coverage, certain lower end"] >= CONFIDENCE
    seen = max(row["coverage, estimated leverage"], row["coverage, bootstrap"]) < CONFIDENCE
    state: State = "passed" if good and seen else "refuted" if not good else "undecided"
    return [
        Evidence(
            CLAIM,
            "empirical",
            state,
            "A direction of probability 1/(10N): estimated leverage and bootstrap miss it, the "
            "interval of known leverage and the certain lower end do not",
            {
                "coverage, known leverage": row["covered"] / row["trials"],
                "coverage, estimated leverage": row["coverage, estimated leverage"],
                "coverage, bootstrap": row["coverage, bootstrap"],
            },
            witness=row if state == "refuted" else None,
            cause=None if seen else "the estimates were right by chance",
            rows=[row],
        )
    ]


def sampling_checkers() -> list[Checker]:
    """Return one checker per family, and the planted failure."""
    return [
        *(
            Checker(
                f"coverage on {law.name}", (CLAIM,), "empirical", partial(check_coverage, law.name)
            )
            for law in populations()
        ),
        Checker("an unseen direction", (CLAIM,), "empirical", check_unseen),
    ]
