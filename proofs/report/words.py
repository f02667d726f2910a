"""Numbers and small structures in words: few digits, no JSON, every identifier with its name."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from epsrank.proofs.report.scripts import scripts
from epsrank.theory.strict_json import worded
from epsrank.theory.words import plural

# Witnesses are shown up to this many characters; ledger.json has them whole.
_LONGEST = 600
_WHOLE = " … (whole in ledger.json)"
# More values than these are summed up by their number and their range.
_MOST_VALUES = 12

#: What the statements of the theory are about, by the name that sources and titles give them.
STATEMENTS = {
    "D1": "the ε-rank",
    "M1": "variational form",
    "M2": "order in ε",
    "M3": "more neurons",
    "M4": "Loewner order",
    "M5": "invariance",
    "M6": "mixing",
    "M7": "perturbation",
    "M8": "subadditivity",
    "M9": "trace bound",
    "F1": "the tail",
    "F2": "the loss floor",
    "F3": "reachable loss",
    "F4": "the floor is attained",
    "F5": "rank budget",
    "F6": "reading of a plateau",
    "F7": "the head is the network’s",
    "F8": "counterfactual floor",
    "F9": "how far a step must go",
    "N1": "neuron selection",
    "N2": "a-priori floor",
    "N3": "distances that can be computed",
    "N4": "subset conjecture",
    "L1": "linear operators",
    "L2": "Lipschitz losses",
    "L3": "dual certificates",
    "I1": "rank at initialisation",
    "I2": "default layers",
    "I3": "structured first layer",
    "C1": "exact counts",
    "C2": "rounding",
    "C3": "quadrature",
    "C4": "sampling",
    "P1": "length of a plateau",
    "P2": "condensation within a plateau",
}

#: What the experiments are about, by id.
EXPERIMENTS = {
    "A1": "function fitting",
    "A2": "order by depth",
    "A3": "activations",
    "A4": "images, one wide network",
    "A5": "deterministic first layer",
    "A6": "Poisson’s equation",
    "A7": "partition of unity",
    "A8": "residual networks",
    "A9": "structured first layer",
    "A10": "images, structured first layer",
    "A11": "rates, batches, optimisers",
    "A12": "cost",
    "A13": "loss landscapes",
    "B1": "three stages",
    "B2": "transport of amplitudes",
    "B3": "condensation",
    "B4": "blow-up",
    "B5": "low-rank bias",
    "B6": "stages beside the ε-rank",
    "C1": "two regimes of the rate",
    "C2": "stiffness",
    "C3": "break-even point",
    "C4": "frequency principle",
    "C5": "critical periods",
    "C6": "rewinding",
    "C7": "further figures of the survey",
    "E": "validity of the detector",
}

#: The sources that the ledger cites: title, authors and address.
SOURCES = {
    "S1": (
        "ε-rank and the Staircase Phenomenon: New Insights into Neural Network Training Dynamics",
        "Yang, Zhao, Zhu",
        "2412.05144",
    ),
    "S2": (
        "Structured First-Layer Initialization Pre-Training Techniques to Accelerate Training "
        "Process Based on ε-Rank",
        "Tang, Yang, Zhao, Zhu",
        "2507.11962",
    ),
    "S3": (
        "On Multi-Stage Loss Dynamics in Neural Networks: Mechanisms of Plateau and Descent Stages",
        "Chen, Luo, Wang",
        "2410.20119",
    ),
    "S4": (
        "Towards Understanding the Condensation of Neural Networks at Initial Training",
        "Zhou, Zhou, Luo, Zhang, Xu",
        "2105.11686",
    ),
    "S5": (
        "On the dynamics of three-layer neural networks: initial condensation",
        "Chen, Luo",
        "2402.15958",
    ),
}

#: Kinds of evidence as people call them: one, several.
KINDS = {
    "formal": ("proof in Coq", "proofs in Coq"),
    "exact": ("check in exact arithmetic", "checks in exact arithmetic"),
    "symbolic": ("symbolic identity", "symbolic identities"),
    "property": ("search for a counterexample", "searches for a counterexample"),
    "empirical": ("experiment", "experiments"),
}

_IDENTIFIER = re.compile(r"\b([DMFNLICP]\d)\b(?!-)")
_EXPERIMENT = re.compile(r"\b(A\d{1,2}|B\d|C\d|E)\b")
_VERDICT_OF_ONE = re.compile(r"^(A\d{1,2}|B\d|C\d|E), (\w+): ")
_SOURCE = re.compile(r"\[(S\d)\]")
_OURS = re.compile(r"^ours(?=$|, )")


def show(value: Any) -> str:
    """Return a number or a small structure as text: four digits, intervals as [a, b]."""
    text = _shown(worded(value))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + _WHOLE


def _shown(plain: Any) -> str:
    if plain is None:
        return "–"
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    if isinstance(plain, float):
        return number(plain)
    if isinstance(plain, Mapping):
        return "; ".join(f"{name}: {_shown(item)}" for name, item in plain.items()) or "none"
    if isinstance(plain, list):
        return _list(plain)
    return str(plain)


def number(value: float) -> str:
    """Return a number in four digits, with a true minus."""
    text = f"{value:.4g}" if math.isfinite(value) else str(value)
    return text.replace("e-0", "e-").replace("e+0", "e+")


def _list(plain: Sequence[Any]) -> str:
    """Return an interval, a few values, the rows of a matrix, or how many values there are."""
    if len(plain) == 2 and plain[0] == plain[1] and not isinstance(plain[0], list):
        return _shown(plain[0])
    nested = any(isinstance(item, (list, Mapping)) for item in plain)
    numeric = all(isinstance(item, (int, float)) for item in plain)
    if len(plain) > _MOST_VALUES and numeric:
        return f"{plural(len(plain), 'value')} from {_shown(min(plain))} to {_shown(max(plain))}"
    if nested and all(isinstance(item, list) for item in plain):
        # Rows of a matrix, as they are written in one line.
        return "[" + "; ".join(_shown(item).strip("[]") for item in plain) + "]"
    return f"[{', '.join(_shown(item) for item in plain)}]"


def shortened(text: str, longest: int = 220) -> str:
    """Return a text up to a clause, where it is long."""
    if len(text) <= longest:
        return text
    for stop in (". ", "; ", ", ", " "):
        place = text.rfind(stop, longest // 2, longest)
        if place > 0:
            return text[:place] + " …"
    return text[:longest] + " …"


def annotated(text: str) -> Markup:
    """Return a text in which the names of statements and experiments say what they are."""
    opening = _VERDICT_OF_ONE.match(text)
    head = Markup("")
    if opening:
        head = Markup("Experiment {} ({}) is {}: ").format(
            opening[1], EXPERIMENTS.get(opening[1], "?"), _said_of_one(opening[2])
        )
        text = text[opening.end() :]
    return head + Markup(_IDENTIFIER.sub(_with_name, str(indexed(text))))


def indexed(text: str) -> Markup:
    """Return a text whose indices and powers stand below and above the line, as in print."""
    made = (
        Markup("<{0}>{1}</{0}>").format(kind, indexed(piece)) if kind else escape(piece)
        for kind, piece in scripts(text)
    )
    return Markup("").join(made)


def _said_of_one(word: str) -> str:
    return {"supported": "in favour", "refuted": "against", "regime": "in favour in part"}.get(
        word, word
    )


def _with_name(match: re.Match[str]) -> str:
    name = STATEMENTS.get(match[1])
    return match[0] if name is None else f"{match[1]} <small>{name}</small>"


def source(text: str) -> Markup:
    """Return where a claim comes from: citations as links, statements and experiments by name."""
    parts = []
    for part in text.split("; "):
        line = str(escape(part))
        if part.startswith(("experiment ", "experiments ")):
            line = _EXPERIMENT.sub(_experiment, line)
        else:
            line = _IDENTIFIER.sub(_with_name, line)
        # So in the ledgers of reports before 2026-11-30.
        line = line.replace("math.md §", "notes of this project, section ")
        line = _OURS.sub("this project", line)
        parts.append(_SOURCE.sub(_citation, line))
    return Markup("; ".join(parts))


def _experiment(match: re.Match[str]) -> str:
    name = EXPERIMENTS.get(match[1])
    return match[0] if name is None else f"{match[1]} <small>{name}</small>"


def _citation(match: re.Match[str]) -> str:
    if match[1] not in SOURCES:
        return match[0]
    _, authors, paper = SOURCES[match[1]]
    return f'<a href="#source-{match[1]}">{authors} ({paper})</a>'


def counted(number_of: int, kind: str) -> str:
    """Return a number of pieces of evidence with the name of their kind."""
    one, several = KINDS[kind]
    return f"{number_of} {one if number_of == 1 else several}"
