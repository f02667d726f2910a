"""The samples of a reading: rows of the last layer's features and their targets."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from epsrank.theory.errors import InputError

LossKind = Literal["mse", "cross_entropy"]

#: Label that PyTorch's cross-entropy leaves out.
IGNORED = -100


def check_targets(targets: Tensor, n_outputs: int, kind: LossKind) -> None:
    """Check targets of a probe against the head that they will be read with.

    Parameters
    ----------
    targets : Tensor
        As given.
    n_outputs : int
        Outputs k of the head.
    kind : {"mse", "cross_entropy"}
        The loss.

    Raises
    ------
    InputError
        If a label has no output, or the columns are not those of the head.
    """
    k = n_outputs
    if kind == "cross_entropy" and not targets.is_floating_point():
        labels = targets[targets != IGNORED]
        if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < k:
            found = f"{int(labels.min())} to {int(labels.max())}"
            raise InputError(
                "targets", f"have labels {found}", f"the head has {k} outputs: 0 to {k - 1}"
            )
        return
    columns = 1 if targets.ndim < 2 else int(targets.shape[-1])
    if columns != k:
        raise InputError(
            "targets",
            f"have {columns} columns, but the head has {k} outputs",
            "name the right head",
        )


class Rows:
    """The first rows of the last layer's features, kept until the targets are known.

    Parameters
    ----------
    limit : int
        Most rows; memory is bounded by them.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self._pieces: list[Tensor] = []
        self._kept = 0

    def add(self, features: Tensor) -> None:
        """Copy what fits.

        Parameters
        ----------
        features : Tensor, shape (N, n)
            Rows in the order of the batch.
        """
        self.total += features.shape[0]
        room = self.limit - self._kept
        if room > 0:
            piece = features[:room].detach().to("cpu", copy=True)
            self._pieces.append(piece)
            self._kept += piece.shape[0]

    def features(self) -> Tensor | None:
        """Return the rows kept, and None without any."""
        return torch.cat(self._pieces) if self._pieces else None


def matched(rows: Rows, targets: Any, kind: LossKind) -> tuple[Tensor, Tensor]:
    """Return features and targets of the same samples, those with ignored labels left out.

    Parameters
    ----------
    rows : Rows
        Features seen.
    targets : Tensor or array_like
        One target per row; further axes of labels (tokens) are flattened.
    kind : {"mse", "cross_entropy"}
        The loss.

    Returns
    -------
    tuple of (Tensor, Tensor)
        Shapes (N, n) and (N,) or (N, k).

    Raises
    ------
    InputError
        If their numbers differ, or nothing is left.
    """
    features = rows.features()
    if features is None:
        raise InputError("targets", "have no features", "check that the head is part of the pass")
    goal = torch.as_tensor(targets).detach()
    labels = kind == "cross_entropy" and not goal.is_floating_point()
    # Tokens and positions are samples: all axes of labels, and all but the last of rows.
    if labels:
        goal = goal.reshape(-1)
    elif goal.ndim > 1:
        goal = goal.reshape(-1, goal.shape[-1])
    if goal.ndim == 0 or goal.shape[0] != rows.total:
        raise InputError(
            "targets",
            f"have {0 if goal.ndim == 0 else goal.shape[0]} rows, but the last layer has "
            f"{rows.total}",
            "pass one target for every sample that went through the model since the last step",
        )
    goal = goal[: features.shape[0]].cpu()
    if labels:
        kept = goal != IGNORED
        features, goal = features[kept], goal[kept]
    if len(goal) == 0:
        raise InputError("targets", "are empty or all ignored", "pass at least one target")
    return features, goal
