"""Every function that counts from a Gram matrix, at the thresholds where rounding decides."""

from __future__ import annotations

import ast
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epsrank.theory.data.exact_gram import exact_gram_of_matrix
from epsrank.theory.rank import routes
from epsrank.theory.rank.interval import RankInterval
from epsrank.theory.rank.routes.exact import exact_count
from epsrank.theory.rank.routes.factorised import factorised_count
from epsrank.theory.rank.routes.gram import gram_enclosure
from epsrank.theory.rank.routes.inertia import inertia_bounds

from .cases import with_spectrum

Bounds = tuple[int, int] | None
Counter = Callable[[Any, float, float, float], Bounds]

RANK = Path(routes.__file__).parents[1]
ROOT = Path(__file__).resolve().parents[3]


def factorised(matrix: Any, error: float, below: float, above: float) -> Bounds:
    found = factorised_count(matrix, error, Fraction(below), Fraction(above))
    return None if found is None else (found.lower, found.upper)


def by_eigenvalues(matrix: Any, error: float, below: float, above: float) -> Bounds:
    return gram_enclosure(matrix, error).count(Fraction(below), Fraction(above))


#: By the name of the function in `theory/rank/routes`: bounds of the count, None where it gives up.
COUNTERS: dict[str, Counter] = {
    "inertia_bounds": inertia_bounds,
    "factorised_count": factorised,
    "gram_enclosure": by_eigenvalues,
}


def counters_in(source: str) -> list[str]:
    """Name the functions that count the eigenvalues of a matrix known to within an error."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
        and [a.arg for a in node.args.args][:4] == ["matrix", "error", "below", "above"]
    ]


def test_every_function_that_counts_is_in_the_table() -> None:
    found = [
        name
        for path in sorted((RANK / "routes").glob("*.py"))
        for name in counters_in(path.read_text(encoding="utf-8"))
    ]
    assert len(found) >= 2
    assert set(found) <= set(COUNTERS)
    assert counters_in("def sturm(matrix, error, below, above): ...") == ["sturm"]


MATRICES = {
    "spread": with_spectrum(np.linspace(1.0, 2.0, 9), 0),
    "decades": with_spectrum(np.geomspace(1.0, 1e-9, 9), 1),
    "a cluster": with_spectrum(np.r_[1.0, 1.0 + 1e-15 * np.arange(6), 0.25, 1e-3], 2),
    "low rank": with_spectrum(np.r_[3.0, 2.0, np.full(7, 1e-14)], 3),
}


def assert_never_wrong(count: Counter, matrix: Any) -> None:
    """Ask at the eigenvalues as computed, and one rounding beside them; integers know the truth."""
    gram = exact_gram_of_matrix(matrix)
    for value in np.linalg.eigvalsh(matrix):
        for theta in (np.nextafter(value, 0.0), value, np.nextafter(value, 9.0)):
            if theta <= 0:
                continue
            found = count(matrix, 0.0, float(theta), float(theta))
            truth = exact_count(gram, gram.threshold(Fraction(float(theta))))
            assert found is None or found[0] <= truth <= found[1], (theta, found, truth)


@pytest.mark.parametrize("kind", MATRICES)
@pytest.mark.parametrize("name", COUNTERS)
def test_no_count_is_wrong_at_an_eigenvalue(name: str, kind: str) -> None:
    assert_never_wrong(COUNTERS[name], MATRICES[kind])


@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize("error", [1e-3, 0.11, 0.4])
def test_no_count_is_wrong_where_the_matrix_is_poorly_known(name: str, error: float) -> None:
    spectrum = np.linspace(0.1, 2.0, 20)
    matrix = with_spectrum(spectrum, 4)
    for below, above in ((1.02, 1.02), (1.0999, 1.1001), (0.7, 1.3), (0.05, 0.05)):
        found = COUNTERS[name](matrix, error, below, above)
        # H may be H̃ ± tI, to the rounding of H̃ itself.
        most = int((spectrum + error > below + 1e-12).sum())
        least = int((spectrum - error > above - 1e-12).sum())
        assert found is None or (found[0] <= least and most <= found[1])


def unverified(matrix: Any, error: float, below: float, above: float) -> Bounds:
    """Count the eigenvalues as they were computed."""
    values = np.linalg.eigvalsh(matrix)
    return int((values - error > above).sum()), int((values + error > below).sum())


def test_a_count_without_its_rounding_is_caught() -> None:
    with pytest.raises(AssertionError):
        assert_never_wrong(unverified, MATRICES["spread"])


def routes_in(source: str) -> set[str]:
    """Name the routes that a file writes into what it decides."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        written: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in {"Decision", "IntegerCount"}:
                # Behind the two ends, which may come together.
                start = 1 if isinstance(node.args[0], ast.Starred) else 2
                written = node.args[start : start + 1]
            elif node.func.id == "replace":
                written = [k.value for k in node.keywords if k.arg == "route"]
        elif isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
            written = node.value.elts[:1]
        names |= {e.value for e in written if isinstance(e, ast.Constant) and e.value}
    return names


def test_every_route_that_a_result_may_name_is_explained() -> None:
    named = {
        name
        for path in sorted(RANK.rglob("*.py"))
        for name in routes_in(path.read_text(encoding="utf-8"))
    }
    assert {"gram", "svd", "exact", "ball", "inertia", "samples", "spectrum"} <= named
    page = (ROOT / "docs/certified-ranks.md").read_text(encoding="utf-8")
    assert {name for name in named if f"`{name}`" not in page} == set()
    # From a sum of batches only, which `RankInterval` never is.
    inner = {"cholesky", "low-rank", "inertia"}
    docstring = RankInterval.__doc__ or ""
    assert {name for name in named - inner if f'``"{name}"``' not in docstring} == set()


def test_a_route_without_a_word_is_caught() -> None:
    planted = 'Decision(*bounds, "sturm", "Sturm counts")\nreplace(found, route="lanczos")'
    assert routes_in(planted) == {"sturm", "lanczos"}
    assert routes_in(
        'def f():\n    yield "one", enclosure\n    yield Decision(0, n, "", "left")'
    ) == {"one"}
