"""What a column of a history is, by the names that people and programs give it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from epsrank.numerics.results.foreign import ALIASES
from epsrank.theory.errors import InputError

End = Literal["value", "low", "high"]


@dataclass(frozen=True)
class Kind:
    """A quantity of training."""

    #: As in ``--column NAME=COLUMN``.
    name: str
    #: Words for people, and the panel of the figure that it is drawn in.
    words: str
    panel: str
    #: Regular expressions of plain names (`plain`), the usual one first; a group is the part.
    patterns: tuple[str, ...] = ()
    #: Whether there are several of it, told apart by a layer or a frequency.
    parted: bool = False
    #: Whether panels have a logarithmic axis where all is positive.
    log: bool = False


KINDS = (
    Kind("loss", "loss", "loss", log=True, patterns=(
        "loss", "train_loss", "loss_train", "training_loss", "train_loss_(?:step|epoch)",
        "epsrank_loss")),
    Kind("test_loss", "test loss", "loss", log=True, patterns=(
        "(?:test|val|valid|validation|eval)_loss", "loss_(?:test|val|valid|validation|eval)")),
    Kind("reachable", "reachable loss V(B)", "loss", log=True, patterns=("reachable",)),
    Kind("envelope", "envelope of floors", "loss", log=True, patterns=("envelope",)),
    Kind("floor", "floor at the ε-rank", "loss", log=True, patterns=("floor",)),
    Kind("rank", "ε-rank", "ε-rank", parted=True, patterns=("(?:epsilon_|eps_)?rank(?:_(.+))?",)),
    Kind("lambda_h", "λ_H (sharpness)", "curvature", log=True, patterns=(
        "sharpness", "lambda_h(?:_?1)?", "hessian_top",
        "(?:hessian_)?(?:top|max)_eig(?:envalue|enval)?(?:_1)?", "hessian_eigenvalue", "lambda_max",
        "(?:max|top)_hessian_eig(?:envalue)?",
        "hessian_(?:lambda_)?max(?:_eig(?:envalue)?)?")),
    Kind("limit", "2/η", "curvature", log=True, patterns=(
        "limit", "stability_limit", "2_(?:eta|lr|rate)", "two_over_(?:eta|lr)")),
    Kind("batch_sharpness", "batch sharpness", "curvature", log=True, patterns=(
        "batch_sharpness",)),
    Kind("lambda_k", "λ_K", "gradient noise", log=True, patterns=(
        "noise_top", "lambda_k(?:_?1)?")),
    Kind("noise_scale", "noise scale", "gradient noise", log=True, patterns=(
        "noise_scale", "gradient_noise_scale", "gns", "b_simple", "gradient_noise")),
    Kind("stiffness", "stiffness", "stiffness", patterns=("stiffness(?:_cos|_sign|_within)?",)),
    Kind("coherence", "m-coherence", "coherence", log=True, patterns=("m_coherence", "coherence")),
    Kind("frequency", "error at frequency", "frequency errors", parted=True, log=True, patterns=(
        r"(?:frequency|freq|fourier)(?:_error)?(?:_at)?_?[kγ]?_?([\d.]+)",
        r"delta_k?_?([\d.]+)")),
    Kind("orientations", "orientations", "orientations", parted=True, patterns=(
        "orientations(?:_(.+))?",)),
    Kind("weight_rank", "effective rank of weights", "weight rank", parted=True, patterns=(
        "weight_rank(?:_(.+))?",)),
    Kind("transport", "W₁ of amplitudes", "W₁", log=True, patterns=(
        "(?:amplitude_)?transport", "w1", "wasserstein(?:_1)?")),
    Kind("path", "path length", "path length", parted=True, patterns=(
        "path(?:_length)?(?:_(.+))?",)),
    Kind("distance", "distance from the start", "distance", patterns=(
        "(?:initial_)?distance", "distance_from_(?:init|start|initiali[sz]ation)")),
    Kind("signs", "weight signs changed", "signs", patterns=(
        "signs?", "sign_changes?", "signs_changed")),
    Kind("turning", "cosine of updates", "updates", patterns=("turning", "update_cosine")),
    Kind("gradient_norm", "gradient norm", "gradient norm", log=True, patterns=(
        "grad(?:ient)?_norm", "norm_grad(?:ient)?", "gnorm",
        r"grad(?:ient)?_2\.?_?0?_norm(?:_total)?", "(?:total|global)_grad(?:ient)?_norm")),
    Kind("product_rank", "effective rank of the product", "product rank", patterns=(
        "product_rank",)),
    Kind("barrier", "barrier", "barrier", patterns=("barrier(?:_to_.+)?",)),
    Kind("head_norm", "norm of the head", "norm of the head", log=True, patterns=(
        "coefficient_norm", "head_norm")),
    Kind("accuracy", "test accuracy", "accuracy", patterns=(
        "(?:test|val|valid|validation|eval)_acc(?:uracy)?", "acc(?:uracy)?")),
    Kind("learning_rate", "learning rate", "rate", log=True, patterns=(
        "learning_rate", "lr", r"lr_(?:sgd|adam|adamw|momentum)(?:_pg\d+)?")),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}

# Columns of steps, the more telling first: W&B counts its own calls of log in _step.
STEPS = ("step", "global_step", "trainer/global_step", "train/global_step", "epsrank/step",
         "Step", *ALIASES["step"][2:])  # fmt: skip

# What trackers and trainers put before a name.
_ROOM = re.compile(
    r"\W*(?:quantity|train(?:ing|er)?|charts|metrics|stats|optim|perf|monitor|"
    r"(?P<unseen>test(?:ing)?|val(?:id(?:ation)?)?|eval(?:uation)?|dev))[\W_]+(?P<name>.+)",
    re.IGNORECASE,
)
# Places that quantities of unseen samples stand behind those of the training.
_UNSEEN = 100
# Columns of our own files and sinks.
_OWN_RANK = re.compile(r"rank_(lower|upper)_layer(\d+)_(.+)")
_SINK_RANK = re.compile(r"epsrank/(.+)/eps[=_]([\d.e+-]+)/(lower|upper)")
_OWN_FLOOR = re.compile(r"floor_([\d.e+-]+)")
_SINK_READING = re.compile(r"epsrank/.+/reading/(loss|reachable)")
_SINK_END = re.compile(r"quantity/(.+)/(low|high)")


@dataclass(frozen=True)
class Meaning:
    """What one column holds."""

    kind: Kind
    #: A layer or a frequency.
    part: str = ""
    end: End = "value"
    #: Threshold of a rank or a floor, where the column says it.
    eps: float | None = None
    #: Place among the names of its kind: a smaller one is preferred.
    place: int = 0


def plain(column: str) -> str:
    """Return a name in small letters, digits and underscores: ``Train/Loss`` → train_loss."""
    return re.sub(r"[^\w.]+", "_", column.strip().lower()).strip("_")


def meaning_of(column: str) -> Meaning | None:
    """Return what a column is by its name; None of one that says nothing here."""
    own = _meaning(column)
    room = None if own is not None else _ROOM.fullmatch(column)
    if room is None:
        return own
    inner = meaning_of(room["name"])
    if inner is None or room["unseen"] is None:
        return inner
    # What is a loss without the word would be that of the training.
    if inner.kind.name == "loss":
        return None
    return replace(inner, place=inner.place + _UNSEEN)


def is_step(column: str) -> bool:
    """Tell whether a column is one of steps, behind the name of a room: ``train/step``."""
    room = _ROOM.fullmatch(column)
    return plain(column) in STEPS if room is None else is_step(room["name"])


def _meaning(column: str) -> Meaning | None:
    """Return what a column is by its whole name."""
    if found := _OWN_RANK.fullmatch(column):
        return Meaning(BY_NAME["rank"], found[2], _end(found[1]), _number(found[3]))
    if found := _SINK_RANK.fullmatch(column):
        return Meaning(BY_NAME["rank"], found[1], _end(found[3]), _number(found[2]))
    if found := _OWN_FLOOR.fullmatch(column):
        return Meaning(BY_NAME["floor"], eps=_number(found[1]))
    if found := _SINK_READING.fullmatch(column):
        # The loss on the samples measured, where no other is there.
        return Meaning(BY_NAME[found[1]], place=9)
    if found := _SINK_END.fullmatch(column):
        own = meaning_of(found[1])
        return (
            None
            if own is None
            else Meaning(own.kind, own.part, "low" if found[2] == "low" else "high")
        )
    if column in {"rank_lower", "rank_upper"}:
        return Meaning(BY_NAME["rank"], end=_end(column.removeprefix("rank_")))
    return _by_pattern(plain(column))


def _by_pattern(name: str) -> Meaning | None:
    for kind in KINDS:
        for place, pattern in enumerate(kind.patterns):
            if found := re.fullmatch(pattern, name):
                part = (found[1] or "") if found.re.groups else ""
                # "rank_layer2" is of layer 2, "frequency_3.0" is at 3, and "rank_body.0" of body.0.
                part = re.sub(r"^(\d+)\.0*$", r"\1", re.sub(r"^layer_?", "", part))
                return Meaning(kind, part, place=place)
    return None


def _end(word: str) -> End:
    return "low" if word == "lower" else "high"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def named(columns: Mapping[str, str]) -> dict[str, Meaning]:
    """Return what ``NAME=COLUMN`` says of columns; NAME is a kind, or KIND:PART."""
    found: dict[str, Meaning] = {}
    for name, column in columns.items():
        word, _, part = name.partition(":")
        if word == "step":
            continue
        kind = BY_NAME.get(word)
        if kind is None or bool(part) > kind.parted:
            several = ", ".join(f"{kind.name}:PART" for kind in KINDS if kind.parted)
            known = ", ".join(["step", *BY_NAME])
            raise InputError("columns", f"name {name!r}", f"choose one of {known}, or of {several}")
        found[column] = Meaning(kind, part, place=-1)
    return found


def absent(present: Iterable[str]) -> list[str]:
    """Return the words for kinds that are not there."""
    there = set(present)
    return [kind.words for kind in KINDS if kind.name not in there]
