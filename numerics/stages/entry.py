"""`training_stages`: trainings of one setting on one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from epsrank.numerics.results.collection import frozen
from epsrank.numerics.stages.axis import RunAxis, present
from epsrank.numerics.stages.kinds import absent
from epsrank.numerics.stages.order import pairs_of, times_of
from epsrank.numerics.stages.passages import passages
from epsrank.numerics.stages.phases import phases_of
from epsrank.numerics.stages.reading import asked, read_axes
from epsrank.numerics.stages.result import Stages
from epsrank.theory.data.inputs import as_positive
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural


def training_stages(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    eps: float | None = None,
    momentum: float | None = None,
    level: float | None = None,
    against: Sequence[str] = (),
    where: Mapping[str, Any] | None = None,
    names: str | None = None,
    seed: str | None = None,
    settings: Sequence[str] = (),
) -> Stages:
    r"""Put every quantity of a training on one axis, and order the moments at which they change.

    *First passages.* An event of a quantity q, such as q(t) ≤ 0.1 q(0), is known up to the
    measurements around it: it lies in (t_{i−1}, t_i] where t_i is the first at which it has
    happened. If it never did it is *censored*, and lies beyond the last measurement.

    *Order.* In one run A comes before B if its interval ends where that of B begins, or sooner;
    overlapping intervals are ties. Over runs each pair has a two-sided sign test of the runs that
    tell, an exact interval of the share, and Holm's correction over all pairs. Two levels of one
    quantity follow each other by definition and are not compared.

    Parameters
    ----------
    source : path, History, Run, SweepResults, mapping, table, or a sequence of these
        A run folder, the history of a `RankMonitor`, a sweep or an import, a CSV, JSON Lines or
        Parquet file or TensorBoard folder of another program, a CSV that W&B exports, or columns
        by name. Several are runs of one setting.
    columns : mapping of str to str, optional
        Columns by what they are, such as ``{"loss": "objective", "rank:2": "r2"}``. Usual names
        are understood without.
    eps : float, optional
        Threshold of the ranks, where there are several; the first by default.
    momentum : float, optional
        μ of plain heavy-ball descent: 2(1 + μ)/η is drawn, and λ_H held against it, where the
        history has learning rates.
    level : float, optional
        Loss of the second plateau, for its stages; by default that of the detector's.
    against : sequence of str
        Compare pairs with these quantities only, such as ``["rank"]``: the fewer the pairs, the
        fewer runs an order needs.
    where : mapping, optional
        Take the runs with these settings only.
    names, seed, settings
        How paths and columns say seeds and settings, as in `import_runs`.

    Returns
    -------
    Stages
        Tracks, stages, first passages and their order.

    Raises
    ------
    InputError
        If nothing is known of a source, if it has one measurement, if its steps begin anew, or if
        its runs have several settings.

    Examples
    --------
    >>> import numpy as np
    >>> step = np.arange(0, 200, 2)
    >>> loss = np.where(step < 60, 1.0, 0.05)
    >>> rank = np.where(step < 40, 2, 9)
    >>> found = training_stages({"step": step, "train/loss": loss, "rank": rank})
    >>> print(found.events[0].event.name, found.events[0].passages[0].by)
    ε-rank at half of its growth 40.0
    """
    how = asked(columns, eps, momentum, where, names, seed, settings)
    groups = stages_by_setting(source, read_axes(source, how), level=level, against=against)
    if len(groups) > 1:
        varied = dict.fromkeys(
            name
            for name in {name for found in groups for name in found.settings}
            if len({frozen(found.settings.get(name)) for found in groups}) > 1
        )
        example = next(iter(sorted(varied)), "name")
        raise InputError(
            "source",
            f"holds {plural(len(groups), 'setting')} (of {', '.join(sorted(varied))})",
            f"choose one, such as where {example} = {groups[0].settings.get(example)!r}",
        )
    return groups[0]


def stages_by_setting(
    source: Any,
    runs: Sequence[RunAxis],
    *,
    level: float | None = None,
    against: Sequence[str] = (),
) -> list[Stages]:
    """Return the stages of every setting, its seeds together."""
    level = None if level is None else as_positive(level, "level")
    groups: dict[str, list[RunAxis]] = {}
    for run in runs:
        groups.setdefault(frozen(_setting(run.settings)), []).append(run)
    return [_stages(_told(source), group, level, against) for group in groups.values()]


def _setting(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that may tell runs apart: what follows from named things does not."""
    from epsrank.numerics.results.collection import DERIVED

    return {name: value for name, value in settings.items() if name not in DERIVED}


def _told(source: Any) -> str:
    """Say in a few words what a source is."""
    if isinstance(source, (str, Path)):
        return str(source)
    if isinstance(source, (list, tuple)):
        return _told(source[0]) if len(source) == 1 else f"{len(source)} sources"
    return str(getattr(source, "source", type(source).__name__))


def _stages(
    source: str, runs: Sequence[RunAxis], level: float | None, against: Sequence[str]
) -> Stages:
    seeds = [run.seed for run in runs if run.seed is not None]
    twice = next((seed for seed in seeds if seeds.count(seed) > 1), None)
    if twice is not None:
        same = [run.name for run in runs if run.seed == twice]
        raise InputError(
            source, f"has the seed {twice} twice ({same[0]} and {same[1]})",
            "leave one out: a run that counts twice is no evidence",
        )  # fmt: skip
    rows = times_of([passages(run) for run in runs])
    there = present(runs)
    kinds = [name.partition(":")[0] for name in there]
    unknown = [name for name in against if name not in {*there, *kinds}]
    if unknown:
        raise InputError(
            "against", f"names {unknown[0]!r}, which is not there", f"choose of {', '.join(there)}"
        )
    anchors = [name for name in there if {name, name.partition(":")[0]} & set(against)]
    return Stages(
        source=source,
        settings=runs[0].settings,
        runs=tuple(runs),
        phases=tuple(phases_of(run, level) for run in runs),
        events=rows,
        pairs=pairs_of(rows, anchors),
        absent=tuple(absent(kinds)),
    )
