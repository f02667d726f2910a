"""What ``epsrank sweep`` prints at the end: medians over the seeds, and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.cli.console import notice, number, print_json, print_table

if TYPE_CHECKING:
    from epsrank.numerics.sweeps import Outcome, Sweep
    from epsrank.numerics.sweeps.summary import SettingSummary
    from epsrank.theory.statistics import MedianInterval

_SHOWN = 10  # failures that are named one by one


def failures_of(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the trials that could not be carried out."""
    return [
        {"settings": dict(outcome.settings), "cause": outcome.cause}
        for outcome in outcomes
        if outcome.status == "failed"
    ]


def print_results(plan: Sweep, folder: Path, outcomes: Sequence[Outcome], as_json: bool) -> None:
    """Write the table of all runs, and print the medians over the seeds."""
    from epsrank.numerics.files import write_table
    from epsrank.numerics.sweeps.summary import results_table, summarise

    results = folder / "results.parquet"
    write_table(results, results_table(outcomes))
    summaries, failures = summarise(outcomes), failures_of(outcomes)
    if as_json:
        print_json(
            {
                "out": str(folder),
                "results": str(results),
                "trials": len(outcomes),
                "done": len(outcomes) - len(failures),
                "failed": len(failures),
                "settings": [summary.to_json() for summary in summaries],
                "failures": failures,
            }
        )
        return
    names = _figures(summaries, outcomes)
    columns = [*plan.varied, "runs", *names.values()]
    rows = [_row(plan.varied, names, summary) for summary in summaries]
    note = f"medians over the seeds with the interval that order statistics give; {results}"
    print_table(columns, rows, title=f"{plan.source}: {len(outcomes)} runs", note=note)
    for failure in failures[:_SHOWN]:
        notice(f"failed: {_named(plan, failure['settings'])}: {failure['cause']}")
    if len(failures) > _SHOWN:
        notice(f"{len(failures) - _SHOWN} more failed; see {results}")


def _named(plan: Sweep, settings: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={settings[name]}" for name in (*plan.varied, "seed"))


def _figures(summaries: Sequence[SettingSummary], outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Return the figures to print and their headings; the two ends of a rank are one."""
    # The first ε of each run; the heading has it where all share it.
    eps = {next(iter(entry.result.get("rank_lower", {"": None}))) for entry in outcomes} - {""}
    names = dict.fromkeys(name for summary in summaries for name in summary.medians)
    at = f" at {float(eps.pop()):g}" if len(eps) == 1 else ""
    headings = {"loss": "final loss", "rank_lower": f"final ε-rank{at}"}
    return {name: headings.get(name, name) for name in names if name != "rank_upper"}


def _row(varied: Sequence[str], names: Mapping[str, str], summary: SettingSummary) -> list[str]:
    """Return a line of the table."""
    troubles = [
        f"{count} {name}"
        for name, count in (("failed", summary.failed), ("diverged", summary.diverged))
        if count
    ]
    settings = [str(summary.settings[name]) for name in varied]
    cells = [_cell(name, summary.medians) for name in names]
    return [*settings, ", ".join([str(summary.runs), *troubles]), *cells]


def _cell(name: str, medians: Mapping[str, MedianInterval]) -> str:
    """Format a median: both ends of a rank where rounding leaves them apart."""
    lower = medians.get(name)
    if lower is None:
        return "—"
    upper = medians.get("rank_upper", lower) if name == "rank_lower" else lower
    value = _figure(lower.value)
    if upper.value != lower.value:
        value += f" to {_figure(upper.value)}"
    return f"{value} [{_figure(lower.low)}, {_figure(upper.high)}] {100 * lower.coverage:.1f} %"


def _figure(value: float) -> str:
    return "∞" if value == float("inf") else number(value)
