"""One short sentence per finding: its decisive number with the interval, and no list of settings.

Made from what a finding holds. A claim without a form of its own has the first clause of its
statement, with the medians of its comparisons.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from epsrank.numerics.experiments.analysis import Effect, Finding
from epsrank.proofs.experiments.effects_in_words import (
    LOGARITHMS,
    closest,
    for_and_against,
    medians,
    ratio,
    true_minus,
    value_of,
    with_interval,
)
from epsrank.proofs.experiments.statements import SHARE, leading
from epsrank.proofs.report.words import shortened
from epsrank.theory.words import joined, plural

#: Letters of two lines on a page of 1100 pixels.
LONGEST = 220


def sentence(finding: Finding) -> str:
    """Return the sentence; it says no verdict, which stands before it."""
    form = _FORMS.get(finding.claim)
    found = None if form is None else form(finding)
    words = found or _usual(finding)
    # Where the panel held a claim back, the sentence names the views: no number shows it.
    _, _, views = finding.statement.rpartition("; not stable ")
    if views != finding.statement and len(words) + len(views) < LONGEST - 15:
        words += f"; not stable {views}"
    return shortened(words[:1].upper() + words[1:], LONGEST).rstrip(".") + "."


def _usual(finding: Finding) -> str:
    """Return what a list of comparisons says together; of other statements the first clause."""
    return _listed(finding) or _first_clause(finding)


def _first_clause(finding: Finding) -> str:
    """Return the first clause, with medians."""
    words = leading(finding.statement)
    middle = medians(finding.effects)
    whole = f"{words} ({middle})"
    # What does not fit is left out whole: half of a bracket says nothing.
    return whole if middle and len(whole) < LONGEST else words


def _listed(finding: Finding) -> str | None:
    """Return how many of the comparisons that a statement lists by name are on which side.

    In such a list each is positive in favour of the claim. What stands before it is said as far as
    there is room, and what all names share is said once.
    """
    # Those beside the decisive ones stand last.
    effects = finding.effects[: finding.tried]
    if len(effects) < 2 or any(f"{each.name}: " not in finding.statement for each in effects):
        return None
    lead = finding.statement.partition(f"{effects[0].name}: ")[0].strip(":. ")
    shared, names = _shared([effect.name for effect in effects])
    sides = for_and_against(
        [replace(effect, name=name) for effect, name in zip(effects, names, strict=True)],
        against_first=finding.judgement == "refuted",
    )
    if not sides:
        middle = medians(effects)
        sides = ["no comparison is decided" + (f" ({middle})" if middle else "")]
    both = "; ".join(sides)
    tries = (([lead, shared], both), ([shared], both), ([shared], sides[0]))
    whole = (": ".join(filter(None, [", ".join(filter(None, head)), said])) for head, said in tries)
    return next((words for words in whole if len(words) < LONGEST), None)


def _shared(names: Sequence[str]) -> tuple[str, list[str]]:
    """Part names from what all have before their first comma, or else after their last colon."""
    for pairs in (
        [name.partition(", ")[::2] for name in names],
        [name.rpartition(": ")[::-2] for name in names],
    ):
        if len({shared for shared, _ in pairs}) == 1 and all(own for _, own in pairs):
            return pairs[0][0], [own for _, own in pairs]
    return "", list(names)


def _percent(text: str) -> str:
    return f"{100 * float(text):.0f} %"


def _share(match: re.Match[str], at: int = 1) -> tuple[str, str]:
    """Return "5 of 48 runs" and "[3 %, 23 %]"."""
    count, total, low, high = match.groups()[at - 1 : at + 3]
    runs = plural(int(total), "run")
    return f"{count} of {runs}", f"[{_percent(low)}, {_percent(high)}]"


_STAIRS = re.compile(SHARE + r" runs are staircases.*?have a step \(([^)]*)\)")
_STEPS = re.compile(r"(\d+)(?: steps?)? in (\d+)")
_LARGEST = re.compile(rf"largest drop of a run in {SHARE}")
_TOGETHER = re.compile(
    r"In the (\d+) of (\d+) runs .*?p = (\S+) and power ([\d.]+)"
    r"(?:; the rank is (\S+) of the record ahead \((\S+) to (\S+)\))?"
)


def _stairs(finding: Finding) -> str | None:
    found = _STAIRS.search(finding.statement)
    if found is None:
        return None
    count, span = _share(found)
    by_steps = {int(steps): int(runs) for steps, runs in _STEPS.findall(found[5])}
    rest = [f"{by_steps[k]} have {word}" for k, word in ((1, "a single step"), (0, "none"))
            if by_steps.get(k)]  # fmt: skip
    words = f"{count} are staircases of two steps or more {span}"
    return f"{words}; {' and '.join(rest)}" if rest else words


_SLOPES = re.compile(
    r"within (\S+), in (\d+) of (\d+) settings.*; of (\d+) networks with g = 0 (\d+) "
)

_GROWTH = {
    "supported": "Drops of the loss follow growth of the ε-rank",
    "regime": "In some settings drops of the loss follow growth of the ε-rank, in others not",
    "refuted": "Drops of the loss do not follow growth of the ε-rank",
    "undecided": "Whether drops of the loss follow growth of the ε-rank stays open",
}


def _together(finding: Finding) -> str | None:
    found = _TOGETHER.search(finding.statement)
    if found is None:
        return None
    tested, runs, p, power, *lags = found.groups()
    over = f"over {tested} of {plural(int(runs), 'run')}"
    words = f"{_GROWTH[finding.judgement]}: {over} p = {p} at a power of {power}"
    if lags[0] is None:
        return words
    middle, low, high = (true_minus(f"{100 * float(lag):.2g} %") for lag in lags)
    return f"{words}; the rank is {middle} of the record ahead [{low}, {high}]"


def _largest(words: str) -> Callable[[Finding], str | None]:
    def form(finding: Finding) -> str | None:
        found = _LARGEST.search(finding.statement)
        if found is None:
            return None
        count, span = _share(found)
        return f"At the largest drop of {count} {words} {span}"

    return form


def _across(finding: Finding) -> str | None:
    if finding.pvalue is None:
        return None
    words = leading(finding.statement).replace(", beyond a common pace,", "")
    power = "" if finding.power is None else f", least power {finding.power:.2g}"
    return f"{words} (beyond the pace of fast runs; p = {finding.pvalue:.2g}{power})"


def _gains(of: str, unit: str) -> Callable[[Finding], str | None]:
    """Return the form of a claim on pre-training, whose effects have a word in their names."""

    def form(finding: Finding) -> str | None:
        effects = [e for e in finding.effects if of in e.name]
        if not effects:
            return None
        ordered = sorted(effects, key=lambda effect: effect.interval.value)
        logs = [e for e in ordered if e.unit in LOGARITHMS] or ordered
        ends = [value_of(e, e.interval.value) for e in (logs[0], logs[-1])]
        words = leading(finding.statement)
        # Shares that are wrong have a difference, and errors a ratio.
        said = unit if logs[0].unit or of else "the share of wrong answers changes by"
        if len(logs) == 1:
            return f"{words}: {said} {with_interval(logs[0])}"
        span = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
        return f"{words}: {said} {span} (medians)"

    return form


def _stages(finding: Finding) -> str:
    words = leading(finding.statement).replace(
        "first and second plateau are each", "each plateau is"
    )
    return f"{words} (the closest ratio: {closest(finding.effects)})"


def _length(finding: Finding) -> str | None:
    found = _SLOPES.search(finding.statement)
    if found is None:
        return None
    where = _of_settings(found[2], found[3])
    words = f"In {where} it grows with log(1/σ) at the predicted rate, within {found[1]}"
    middle = sorted(effect.interval.value for effect in finding.effects)
    if middle:
        words += f" (medians {middle[0]:.3g} to {middle[-1]:.3g} of it)"
    if int(found[4]):
        every = plural(int(found[4]), "network")
        words += f"; where the gradient vanishes {found[5]} of {every} never left it"
    return words


def _of_settings(holds: str, total: str) -> str:
    """Return "all 6 settings" or "5 of 6 settings"."""
    settings = plural(int(total), "setting")
    if holds == total == "2":
        return "both settings"
    return f"all {settings}" if holds == total else f"{holds} of {settings}"


def _second(finding: Finding) -> str | None:
    """Sort the factors by what they do on the targets."""
    _, _, listed = finding.statement.partition("by target: ")
    groups: dict[str, list[str]] = {"on every target": [], "on some": [], "on none": []}
    for item in filter(None, listed.rstrip(".").split("; ")):
        factor, _, said = item.partition(": ")
        words = said.split(", ")
        shorter = words.count("shorter")
        kind = (
            "on none" if not shorter else "on some" if shorter < len(words) else "on every target"
        )
        span = _finite([e for e in finding.effects if f", {factor}, " in e.name])
        groups[kind].append(factor + (f" ({span})" if shorter and span else ""))
    told = "; ".join(f"{kind} by {', '.join(held)}" for kind, held in groups.items() if held)
    return f"At equal training time it is shortened {told}" if told else None


def _finite(effects: Sequence[Effect]) -> str:
    """Return the medians from the least to the largest, those that are known."""
    known = sorted(e.interval.value for e in effects if math.isfinite(e.interval.value))
    if not known:
        return ""
    low, high = ratio(known[0]), ratio(known[-1])
    return f"×{low}" if low == high else f"×{low} to ×{high}"


def _transport(finding: Finding) -> str:
    closest = min(finding.effects, key=lambda e: e.interval.value, default=None)
    words = leading(finding.statement)
    if closest is None:
        return words
    low, middle, high = (
        f"{50 + 100 * end:.0f} %"
        for end in (closest.interval.low, closest.interval.value, closest.interval.high)
    )
    return (
        f"{words} (a moment of the descent has the larger one with probability {middle} "
        f"[{low}, {high}] or more)"
    )


def _condensation(finding: Finding) -> str | None:
    found = re.search(r"in (\d+) of (\d+) layers most seeds, established, have one with (.*)$",
                      finding.statement)  # fmt: skip
    if found is None:
        return None
    layers = plural(int(found[2]), "layer")
    return f"In {found[1]} of {layers} most seeds have one orientation with {found[3]}"


def _multiplicity(finding: Finding) -> str:
    over = [effect for effect in finding.effects if " over 2p" in effect.name]
    words = leading(finding.statement).replace(", established,", "")
    middle = sorted(effect.interval.value for effect in over)
    if not middle:
        return words
    return f"{words}; medians are {middle[0]:.2g} to {middle[-1]:.2g} times 2p"


def _blow_up(finding: Finding) -> str | None:
    found = re.search(r"within (\S+), in (\d+) of (\d+) settings", finding.statement)
    slopes = sorted(e.interval.value for e in finding.effects if e.name.startswith("slope"))
    if found is None or not slopes:
        return None
    where = _of_settings(found[2], found[3])
    return (
        f"With three and more layers the first plateau grows as the blow-up time does, within "
        f"{found[1]}, in {where} (slopes {slopes[0]:.3g} to {slopes[-1]:.3g}, medians)"
    )


def _depths(finding: Finding) -> str | None:
    """Count where the last layer has the larger rank: before training, and after it."""
    found = re.findall(r"(\d+) larger and (\d+) smaller of (\d+) at s = ", finding.statement)
    if not found:
        return None
    larger, smaller, every = (sum(int(row[k]) for row in found) for k in range(3))
    words = (
        f"Before training the last layer has the larger ε-rank in {larger} of "
        f"{plural(every, 'setting')} and the smaller one in {smaller}"
    )
    after = [e.interval for e in finding.effects if not e.name.startswith("initial")]
    up, down = sum(i.low > 0 for i in after), sum(i.high < 0 for i in after)
    return f"{words}; after it in {up} of {len(after)} and in {down}" if after else words


def _unity(finding: Finding) -> str | None:
    found = re.search(r"Of (\d+) settings .* ε-rank in (\d+); its error is smaller in (\d+)",
                      finding.statement)  # fmt: skip
    if found is None:
        return None
    settings = plural(int(found[1]), "setting")
    return (
        f"The partition of unity has the larger ε-rank in {found[2]} of {settings}, and the "
        f"smaller error in {found[3]}"
    )


def _residual(finding: Finding) -> str | None:
    """Count the comparisons that decide: those at equal scale, which stand first."""
    judged = [effect.interval for effect in finding.effects[: finding.tried]]
    if not judged:
        return None
    larger = sum(interval.low > 0 for interval in judged)
    middle = sorted(interval.value for interval in judged)
    return (
        f"At equal scale the residual network has the larger ε-rank in {larger} of "
        f"{plural(len(judged), 'comparison')} (medians {middle[0]:+.3g} to {middle[-1]:+.3g})"
    )


def _landscape(finding: Finding) -> str | None:
    """Say what differs at one loss: within a run losses differ too, and may be the reason."""
    found = re.search(r"at one loss, ε-rank \+?(\S+): ([^;]*)", finding.statement)
    if found is None:
        return None
    shapes = [words.strip(" .").partition(" (not ") for words in found[2].split(", ")]
    differ = [words for words, unsure, _ in shapes if not unsure]
    alike = [words.rpartition(" ")[0] for words, unsure, _ in shapes if unsure]
    said = [*differ, *([f"no difference established in {joined(alike)}"] if alike else [])]
    return f"At one loss and an ε-rank higher by {found[1]}: {'; '.join(said)} (medians)"


_FORMS: Mapping[str, Callable[[Finding], str | None]] = {
    "staircase-steps": _stairs,
    "coupling-together": _together,
    "coupling-change": _largest("the features are proved to have had to change"),
    "coupling-rank": _largest(
        "directions beyond the old ε-rank are necessary and carry half of it"
    ),
    "coupling-across": _across,
    "pretraining-rank": _gains("initial ε-rank", "by"),
    "pretraining-speed": _gains("steps to an error", "their number is"),
    "pretraining-accuracy": _gains("", "the error is"),
    "three-stages": _stages,
    "plateau-length": _length,
    "second-plateau": _second,
    "amplitude-transport": _transport,
    "condensation": _condensation,
    "condensation-multiplicity": _multiplicity,
    "blow-up": _blow_up,
    "depth-order-regime": _depths,
    "unity-rank": _unity,
    "resnet-rank": _residual,
    "landscape-rank": _landscape,
    "optimiser-robust": lambda finding: _stairs(finding) if finding.part == "staircases" else None,
}
