"""Results of many runs, whoever trained them: tables, series and comparisons paired by seed."""

from epsrank.numerics.results.collection import RunResult, SweepResults
from epsrank.numerics.results.compare import Comparison, compare_results
from epsrank.numerics.results.foreign import import_runs
from epsrank.numerics.results.load import load_results

__all__ = [
    "Comparison",
    "RunResult",
    "SweepResults",
    "compare_results",
    "import_runs",
    "load_results",
]
