"""Effects in words: medians with intervals, ratios for logarithms, and what a test could find."""

from __future__ import annotations

import math
from collections.abc import Sequence

from epsrank.numerics.experiments.analysis import Effect, Finding, sign
from epsrank.proofs.report.words import number
from epsrank.theory.words import plural, quoted

#: Units of effects that are powers of ten of a ratio.
LOGARITHMS = frozenset({"log10", "decades"})
# What a comparison does to a claim, by the sign that it establishes.
_SIDES = ((1, "favour"), (-1, "oppose"))


def medians(effects: Sequence[Effect]) -> str:
    """Say one median with its interval, or from where to where several lie."""
    # Of different quantities there is no range.
    if not _of_one_kind(effects):
        return ""
    if len(effects) == 1:
        return f"median {with_interval(effects[0])}"
    ordered = sorted(effects, key=lambda effect: effect.interval.value)
    ends = [value_of(each, each.interval.value) for each in (ordered[0], ordered[-1])]
    same = ends[0] == ends[1]
    spread = f"median {ends[0]} in all" if same else f"medians from {ends[0]} to {ends[1]} in"
    return f"{spread} {plural(len(effects), 'comparison')}; {_no_effect(effects[0])} is no effect"


def _of_one_kind(effects: Sequence[Effect]) -> bool:
    return len({(effect.unit, effect.null) for effect in effects}) == 1


def for_and_against(effects: Sequence[Effect], against_first: bool = False) -> list[str]:
    """Say how many of several comparisons favour a claim, then how many oppose it.

    The claim is that all are larger than no effect. Of each side the strongest is named, and where
    all lie on one side the weakest. Sides without a comparison are left out.
    """
    found: list[str] = []
    for side, verb in reversed(_SIDES) if against_first else _SIDES:
        held = sorted((e for e in effects if sign(e) == side), key=_size)
        if not held:
            continue
        every = len(held) == len(effects)
        total = plural(len(effects), "comparison")
        of_all = f"all {total}" if every else f"{len(held)} of {total}"
        count = len(held) if found else of_all
        words = f"{count} {verb if len(held) > 1 else f'{verb}s'} it"
        # Sizes of different quantities cannot be compared.
        if _of_one_kind(effects):
            which, one = ("least", held[0]) if every else ("most", held[-1])
            words += f", {which} {quoted(one.name)} ({with_interval(one)})"
        found.append(words)
    return found


def _size(effect: Effect) -> float:
    return abs(effect.interval.value - effect.null)


def _no_effect(effect: Effect) -> str:
    return "×1" if effect.unit in LOGARITHMS else f"{effect.null:g}"


def value_of(effect: Effect, value: float) -> str:
    """Write a value in the unit of an effect: of a logarithm the ratio, ×0.06."""
    if effect.unit in LOGARITHMS:
        return "×" + ratio(value)
    words = number(float(f"{value:.3g}")) if math.isfinite(value) else endless(value)
    return true_minus(f"{words} {effect.unit}".strip())


def true_minus(words: str) -> str:
    """Give a number a true minus, as everywhere on the page."""
    return f"−{words[1:]}" if words.startswith("-") else words


def ratio(value: float) -> str:
    """Write 10^value in two digits."""
    if math.isinf(value):
        return endless(value) if value > 0 else "0"
    # Powers of ten beyond what a factor says are left as such; ×270 is no ×2.7e+02.
    return f"{float(f'{10**value:.2g}'):g}" if abs(value) < 5 else f"1e{value:.0f}"


def endless(value: float) -> str:
    """Write an infinite end."""
    return "∞" if value > 0 else "−∞"


def with_interval(effect: Effect) -> str:
    """Write a median with the ends of its interval."""
    interval = effect.interval
    low, high = (value_of(effect, end) for end in (interval.low, interval.high))
    return f"{value_of(effect, interval.value)} [{low}, {high}]"


def closest(effects: Sequence[Effect]) -> str:
    """Say the comparison whose median is nearest to no effect, with its interval."""
    if not effects:
        return ""
    return with_interval(min(effects, key=_size))


def power_of(finding: Finding, shift: float, seeds: Sequence[int]) -> str:
    """Say in one line what a claim's test could have found.

    `shift`: In standard deviations, what so many seeds show four times in five.
    """
    parts = []
    if finding.power is not None:
        parts.append(f"simulated power of the test on these very records {finding.power:.2g}")
    if seeds:
        count = plural(seeds[-1], "seed")
        if seeds[0] != seeds[-1]:
            count = f"{seeds[0]} to {count}"
        parts.append(
            f"{count} per comparison: too few for an interval of 95 %, so that nothing can be "
            "established"
            if math.isinf(shift)
            else f"{count} per comparison: an effect of {shift:.2g} standard deviations is found "
            "four times in five"
        )
    if finding.tried > 1:
        parts.append(f"{plural(finding.tried, 'comparison')} tried")
    return "; ".join(parts) or "no test over seeds, so that there is no power to state"
