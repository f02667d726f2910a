"""Every definition on one matrix: which number is whose."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from epsrank.theory.dimension.conventions import (
    ALPHA_REQ,
    EFFECTIVE_RANK,
    RANKME,
    SRANK,
    STABLE_RANK,
    Value,
)
from epsrank.theory.dimension.moments import FeatureMoments, as_samples
from epsrank.theory.dimension.of_spectrum import DECAY_RANGE, SRANK_DELTA
from epsrank.theory.dimension.participation import participation_ratio
from epsrank.theory.dimension.soft_ranks import FEATURE_RANK_THRESHOLD, feature_rank
from epsrank.theory.errors import InputError

_FEATURE_RANK = {
    "paper": ("#{k: σ/√N > 0.01}", "Lyle et al. 2022 (arXiv 2204.09560)"),
    "unscaled": ("#{k: σ > 0.01}", "hand-written, code of several papers"),
}

_PARTICIPATION = {
    ("gram", None): ("(Σλ)²/Σλ²", "Gao et al. 2017"),
    ("covariance", None): ("(Σλ⁰)²/Σλ⁰²", "of the covariance"),
    ("covariance", "rows"): ("as N → ∞", "Chun et al. 2025 (arXiv 2509.26560)"),
    ("covariance", "columns"): ("as n → ∞", "the same"),
    ("covariance", "both"): ("as N, n → ∞", "the same"),
}


@dataclass(frozen=True)
class DefinitionRow:
    """One number and how it is defined."""

    #: The function that computes it.
    function: str
    #: Its arguments, as they are written.
    arguments: str
    #: A float, an int, the text of an interval, or None where there is none.
    value: Value | str
    #: In σ of Φ, σ⁰ of Φ less its mean, λ = σ²/N.
    formula: str
    #: Who defines or computes it so.
    source: str

    @property
    def shown(self) -> str:
        """The value as text."""
        if self.value is None:
            return "–"
        return f"{self.value:.5g}" if isinstance(self.value, float) else str(self.value)


@dataclass(frozen=True)
class DefinitionTable:
    """Numbers of one matrix by every public definition; printed, a table.

    Parameters
    ----------
    rows : tuple of DefinitionRow
        In the order of the functions.

    Examples
    --------
    >>> import numpy as np
    >>> ranks_by_definition(np.eye(3)).value("rankme", "paper") > 3
    True
    """

    #: One for each function and definition.
    rows: tuple[DefinitionRow, ...]

    def value(self, function: str, definition: str) -> Value | str:
        """Return one number.

        Parameters
        ----------
        function, definition : str
            As they are called; for `participation_ratio` with a correction
            ``"covariance, both"``.

        Returns
        -------
        float, int, str or None
            The number, the text of an interval, or None where the definition gives none.

        Raises
        ------
        InputError
            If there is no such row.
        """
        for row in self.rows:
            if (row.function, row.arguments) == (function, definition):
                return row.value
        known = ", ".join(row.arguments for row in self.rows if row.function == function)
        raise InputError(
            "definition", f"is {definition!r} of {function!r}", f"choose one of: {known or 'none'}"
        )

    def __iter__(self) -> Iterator[DefinitionRow]:
        return iter(self.rows)

    def __str__(self) -> str:
        lines = [[row.function, row.arguments, row.shown, row.formula] for row in self.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(3)]
        return "\n".join(
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d}" for a, b, c, d in lines
        )

    def _repr_html_(self) -> str:
        body = "".join(
            "<tr>"
            + "".join(
                f"<td>{html.escape(cell)}</td>"
                for cell in (row.function, row.arguments, row.shown, row.formula, row.source)
            )
            + "</tr>"
            for row in self.rows
        )
        return f"<table>{body}</table>"


def ranks_by_definition(features: Any) -> DefinitionTable:
    """Compute every definition of rank and dimension on one feature matrix.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n), or FeatureMoments
        Φ, one row per sample, or its sums.

    Returns
    -------
    DefinitionTable
        Rows with function, definition, value, formula and source.

    Raises
    ------
    InputError
        If the features cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> for row in ranks_by_definition(np.diag([2.0, 1.0, 1.0, 0.0])):
    ...     if row.function == "stable_rank":
    ...         print(row.arguments, row.shown)
    paper 1.5
    centred 1.4124
    """
    samples = as_samples(features)
    rows = [
        DefinitionRow(function, name, own.of(samples, *parameters), own.formula, own.source)
        for function, conventions, parameters in (
            ("effective_rank", EFFECTIVE_RANK, ()),
            ("rankme", RANKME, ()),
            ("stable_rank", STABLE_RANK, ()),
            ("srank", SRANK, (SRANK_DELTA,)),
            ("alpha_req", ALPHA_REQ, DECAY_RANGE),
        )
        for name, own in conventions.items()
    ]
    for name, (formula, source) in _FEATURE_RANK.items():
        found = feature_rank(samples, FEATURE_RANK_THRESHOLD, definition=name)
        value = found.lower if found.resolved else found.ends
        rows.append(DefinitionRow("feature_rank", name, value, formula, source))
    for (name, correction), (formula, source) in _PARTICIPATION.items():
        words = name if correction is None else f"{name}, {correction}"
        ratio = _participation(samples, name, correction)
        rows.append(DefinitionRow("participation_ratio", words, ratio, formula, source))
    return DefinitionTable(tuple(rows))


def _participation(samples: Any, definition: str, correction: str | None) -> float | None:
    """Return the ratio; None of a matrix that is too small for the correction."""
    shape = samples.gram.shape if isinstance(samples, FeatureMoments) else samples.shape
    n_samples = samples.n_samples if isinstance(samples, FeatureMoments) else shape[0]
    if correction is not None and (n_samples < 4 or shape[1] < 2):
        return None
    return participation_ratio(samples, definition=definition, correction=correction)
