"""Rows of a head with their targets: what a reading is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from epsrank.numerics.monitor.heads.rows import HeadRows, joined
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.losses import UserLoss


class NoReading(Exception):
    """Why there is no reading, in one line."""


@dataclass(frozen=True, eq=False)
class Share:
    """Samples of one process."""

    #: What the head made of them.
    rows: HeadRows
    #: Labels (R,) or rows (R, k).
    targets: Tensor

    @classmethod
    def of_all(cls, shares: Sequence[Share]) -> Share:
        """Return the samples of all processes."""
        rows = joined([share.rows for share in shares])
        return cls(rows, torch.cat([share.targets for share in shares]))


@dataclass(frozen=True, eq=False)
class Gathered:
    """What one process, or all of a group, have for the readings, by the layer of the head."""

    #: Samples.
    shares: dict[str, Share] = field(default_factory=dict)
    #: Why there are none.
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_all(cls, every: Sequence[Gathered]) -> Gathered:
        """Return what all processes have; what one of them cannot read, none does."""
        problems = {name: why for own in every for name, why in own.problems.items()}
        shares: dict[str, Share] = {}
        for name in dict.fromkeys(name for own in every for name in own.shares):
            if name in problems:
                continue
            try:
                shares[name] = Share.of_all(
                    [own.shares[name] for own in every if name in own.shares]
                )
            except InputError as error:
                problems[name] = str(error)
        return cls(shares, problems)


def chosen_targets(targets: Any, head: str) -> Any:
    """Return the targets of one head: its entry of a mapping, or all."""
    return targets.get(head) if isinstance(targets, Mapping) else targets


def matched(
    rows: HeadRows,
    total: int,
    targets: Any,
    loss: UserLoss,
    places: Tensor | None = None,
    *,
    of_probe: bool = False,
) -> Share:
    """Return rows with targets, without samples of ignored labels or weight 0.

    `total` counts all samples seen, and `places` are the numbers of the rows among them; the first
    ones by default.
    """
    # A copy: whoever gave them may write the next batch into their memory.
    goal = torch.as_tensor(targets).detach().clone().cpu()
    labels = loss.has_labels(goal)
    goal = goal.reshape(-1) if labels else rows.columns(goal)
    if len(goal) != total:
        raise InputError(
            "targets",
            f"have {plural(len(goal), 'row')}, but the last layer has {total}",
            "pass one target for every sample of the probe, or every token that the head is given"
            if of_probe
            else "pass one target for every sample that went through the model since the last step",
        )
    goal = goal[: len(rows)] if places is None else goal[places]
    kept = torch.ones(len(goal), dtype=torch.bool)
    if labels:
        kept &= goal != loss.ignored
    if rows.weights is not None:
        kept &= rows.weights > 0
    if not bool(kept.all()):
        rows, goal = rows.chosen(kept), goal[kept]
    if len(goal) == 0:
        by = "ignored labels" if rows.weights is None else "mask, weights and ignored labels"
        why = f"are all left out by {by}" if len(kept) else "are empty"
        raise InputError("targets", why, "let at least one sample count")
    return Share(rows, goal)
