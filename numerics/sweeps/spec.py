"""A sweep: fixed settings, a grid, random draws and seeds, from SPEC.toml to trials."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from epsrank.numerics.sweeps.distributions import Distribution
from epsrank.numerics.sweeps.spec_reader import SpecReader, place
from epsrank.numerics.sweeps.toml_lines import line_of
from epsrank.numerics.sweeps.trial import Trial
from epsrank.theory.errors import InputError


@dataclass(frozen=True)
class Sweep:
    """Fixed settings × grid × random draws × seeds, without what is excluded."""

    #: Kind of the trials.
    kind: str = "train"
    #: Settings of all trials.
    fixed: Mapping[str, Any] = field(default_factory=dict)
    #: Per setting a list of values; all combinations are tried.
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    #: Settings that are drawn, together, `samples` times; each draw is combined with the grid.
    random: tuple[Distribution, ...] = ()
    #: Number of draws, and their seed.
    samples: int = 1
    random_seed: int = 0
    #: Seeds that every combination is run with.
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    #: Combinations that are left out: those that agree with all entries of one of these, where a
    #: list stands for any of its values.
    exclude: tuple[Mapping[str, Any], ...] = ()
    #: Losses: results say at which step each run arrived there. No part of a trial.
    targets: tuple[float, ...] = ()
    #: Name of the file, for messages.
    source: str = "sweep"
    #: The document.
    text: str = ""

    @classmethod
    def from_toml(cls, path: str | Path) -> Sweep:
        """Read a sweep from a file, and check the settings of every trial."""
        path = Path(path)
        try:
            text = path.read_bytes().decode("utf-8")
        except OSError as error:
            raise InputError(
                "SPEC", f"{path} cannot be read ({error.strerror})", "check the path"
            ) from None
        except UnicodeDecodeError:
            raise InputError("SPEC", f"{path} is not UTF-8 text", "fix the file") from None
        return cls.parse(text, path.name)

    @classmethod
    def parse(cls, text: str, source: str = "SPEC.toml") -> Sweep:
        """Read a sweep from a TOML document, and check the settings of every trial."""
        sweep = cls(**SpecReader(text, source).read(), source=source, text=text)
        if not sweep.points:
            raise InputError(source, "leaves no trial", "exclude less")
        return sweep

    @cached_property
    def points(self) -> tuple[Mapping[str, Any], ...]:
        """The different settings without the seed, as a specification orders them."""
        found: dict[str, Mapping[str, Any]] = {}
        tasks: set[str] = set()
        for settings in self._combinations():
            if not any(_matches(settings, rule) for rule in self.exclude):
                checked = self._checked(settings, tasks)
                # Draws may repeat each other or the grid.
                found.setdefault(Trial(self.kind, checked).key, checked)
        return tuple(found.values())

    @property
    def varied(self) -> tuple[str, ...]:
        """The settings in which trials may differ, the seed aside."""
        return (*self.grid, *(distribution.name for distribution in self.random))

    def trials(self) -> list[Trial]:
        """Return the trials: the same sweep gives the same ones."""
        return [
            Trial(self.kind, {**point, "seed": seed})
            for point in self.points
            for seed in self.seeds
        ]

    def _combinations(self) -> Iterator[dict[str, Any]]:
        draws = [entry.draw(self.samples, self.random_seed) for entry in self.random]
        drawn = list(zip(*draws, strict=True)) if draws else [()]
        names = [entry.name for entry in self.random]
        for values in itertools.product(*self.grid.values()):
            for sample in drawn:
                yield {
                    **self.fixed,
                    **dict(zip(self.grid, values, strict=True)),
                    **dict(zip(names, sample, strict=True)),
                }

    def _checked(self, settings: Mapping[str, Any], tasks: set[str]) -> Mapping[str, Any]:
        """Return settings as `RunConfig` writes them, so that 1 and 1.0 are one trial.

        `tasks` are the user's own that have been found to be as they should.
        """
        if self.kind != "train":
            return settings
        from epsrank.numerics.sweeps.settings import check_own_work, config_of

        try:
            # The largest seed, as there is a largest one that can be used.
            config = config_of({**settings, "seed": max(self.seeds)})
            check_own_work(config, tasks)
            checked = config.to_json()
        except InputError as error:
            self._refuse(error, settings)
        return {name: checked[name] for name in settings}

    def _refuse(self, error: InputError, settings: Mapping[str, Any]) -> NoReturn:
        """Say on which line the setting stands that a trial cannot have."""
        name = error.argument
        if name in self.fixed:
            line = line_of(self.text, "fixed", name)
        elif name in self.grid:
            line = line_of(self.text, "grid", name, settings[name])
        else:
            line = line_of(self.text, "random", name)
        raise InputError(f"{place(self.source, line)} {name}", error.problem, error.remedy)


def _matches(settings: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    return all(
        settings.get(name) in value if isinstance(value, list) else settings.get(name) == value
        for name, value in rule.items()
    )
