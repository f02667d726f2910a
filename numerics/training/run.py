"""A run, finished or not: its settings, its measurements, and the last layer of each of them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import torch

from epsrank.numerics.boundary import reason_of
from epsrank.numerics.files import read_table
from epsrank.numerics.manifest import folder_kind, of_kind
from epsrank.numerics.named import is_name
from epsrank.numerics.networks import FeatureNetwork
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.build import build_task, empty_network, resolve_device
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.folder import (
    CONFIG,
    HISTORY,
    SPECTRA,
    STATE,
    RunFolder,
    read_config,
)
from epsrank.numerics.training.measure import LastLayer, captured, collected, last_layer
from epsrank.numerics.training.probe import Probe, choose_probe
from epsrank.numerics.training.record import (
    StepRecord,
    history_table,
    records_from_tables,
    spectra_table,
)
from epsrank.numerics.training.recorded import recorded_task
from epsrank.numerics.training.sources import sources_of
from epsrank.numerics.training.state import (
    SOURCE,
    Progress,
    Status,
    read_environment,
    read_progress,
)
from epsrank.numerics.training.tensors import read_tensors
from epsrank.theory.errors import InputError
from epsrank.theory.floor.arguments import BiasName
from epsrank.theory.floor.certified.certificate import ChainCertificate, certify_chain
from epsrank.theory.floor.change.explain import DropExplanation
from epsrank.theory.floor.change.pairs import DropFigures
from epsrank.theory.floor.reading import Reading
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.staircase.result import Staircase

# Bands of the loss that drops are looked for between, where nothing else is said.
_BAND = 0.5


class Run(Shown):
    """A training run.

    Attributes
    ----------
    config : RunConfig
        Its settings.
    records : tuple of StepRecord
        Its measurements, in order of their steps.
    step : int
        Updates made.
    status : {"complete", "stopped", "diverged"}
        ``stopped`` runs can be resumed.
    cause : str
        Why it is so, in one line.
    out : Path or None
        Its folder; None where it was not kept.
    """

    def __init__(
        self,
        config: RunConfig,
        records: Sequence[StepRecord],
        progress: Progress,
        folder: RunFolder,
        task: Task | None = None,
        blank: Callable[[], FeatureNetwork] | None = None,
    ) -> None:
        self.config = config
        self.records = tuple(records)
        self.step = progress.step
        self.status: Status = progress.status
        self.cause = progress.cause
        self.folder = folder
        self._task = task
        # Makes a network to put checkpoints into, where the settings do not say how.
        self._blank = blank

    @property
    def out(self) -> Path | None:
        """Folder of the run; None where it was not kept."""
        return self.folder.out

    @cached_property
    def task(self) -> Task:
        """The task with its data, loaded when first asked for, and compared with the run's.

        Raises
        ------
        InputError
            If the data are not those of the run.
        """
        if self._task is not None:
            return self._task
        if self.config.recorded:
            return recorded_task(self.folder.path, self.out, self.config.title)
        task = build_task(self.config)
        kept = read_environment(self.folder)
        before = kept.get("data")
        if before is not None and before != task.fingerprint():
            raise self._other_data(kept, task)
        return task

    def _other_data(self, kept: Mapping[str, Any], task: Task) -> InputError:
        """Say why data are not those of the run: another source of the user's, or other files."""
        problem = f"of {task.name} are not those of the run"
        for name, now in sources_of(self.config).items():
            own = name == "task" or is_name(self._file_of_data())
            if own and kept.get(f"{SOURCE}{name}", now) != now:
                spec = self.config.task if name == "task" else self._file_of_data()
                return InputError(
                    "data", f"{problem}: {spec} has another source than when the run was made",
                    "put it back as it was, or train again elsewhere",
                )  # fmt: skip
        if is_name(self.config.task) or is_name(self._file_of_data()):
            return InputError(
                "data", f"{problem}, though its source is the same",
                "let it draw by the seed that it is given, and read the files that it read",
            )  # fmt: skip
        return InputError("data", problem, "name the file it used")

    def _file_of_data(self) -> str | None:
        """Return what stands first in the data of the settings."""
        data = self.config.data
        return data if data is None or isinstance(data, str) else str(data[0])

    @cached_property
    def _device(self) -> torch.device:
        # A run made on CUDA can be looked at without; its features then differ in the last bits.
        return resolve_device("cpu" if self.config.device == "cpu" else "auto")

    @cached_property
    def _probe(self) -> Probe:
        return choose_probe(self.config, self.task, self._device)

    def table(self) -> pa.Table:
        """Return one row per measurement; see ``epsrank.numerics.training.record.history_table``.

        Returns
        -------
        Table
            The measurements.
        """
        return history_table(self.records, self.config)

    def spectra(self) -> pa.Table:
        """Return one row per measurement and hidden layer, with its eigenvalues.

        Returns
        -------
        Table
            The spectra.
        """
        return spectra_table(self.records)

    @property
    def n_layers(self) -> int:
        """Number of hidden layers."""
        return len(self.records[0].layers) if self.records else self.config.depth

    def network(self, index: int = -1) -> FeatureNetwork:
        """Return the network as it was at a measurement, on the CPU, in evaluation mode.

        Parameters
        ----------
        index : int
            Index into `records`.

        Returns
        -------
        FeatureNetwork
            The network.

        Raises
        ------
        InputError
            If there is no such measurement, or its checkpoint cannot be read.
        """
        try:
            step = self.records[index].step
        except IndexError:
            raise InputError(
                "index", f"is {index}", f"the run has {plural(len(self.records), 'measurement')}"
            ) from None
        if self.config.recorded and self._blank is None:
            raise InputError(
                "run",
                f"was recorded from a loop of yours: its network at step {step} is your code's",
                f"make it, and load {self.folder.checkpoint(step)}",
            )
        task = self.task  # first: other data are no run of these
        self._say_changed_sources()
        model = (self._blank or partial(empty_network, self.config, task))()
        try:
            weights = self.folder.load_checkpoint(step)
        except InputError as error:
            # Not in its place without being asked for: the records are of another step.
            raise InputError(error.argument, error.problem, self._instead(index)) from None
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(
                str(self.folder.checkpoint(step)),
                f"is a checkpoint of another network ({reason_of(error)})",
                self._instead(index),
            ) from None
        # As it was measured: networks of the user's may drop out units in training.
        return model.eval()

    def _say_changed_sources(self) -> None:
        """Warn where the user's network or activation is another than that of the run."""
        before = read_environment(self.folder) if self.folder.kept else {}
        for name, now in sources_of(self.config).items():
            # Of the task the data are compared, and they are what counts.
            if name in ("network", "activation") and before.get(f"{SOURCE}{name}", now) != now:
                warnings.warn(
                    f"epsrank: {name} {getattr(self.config, name)} has another source than when "
                    "the run was made: its features may be others",
                    stacklevel=3,
                )

    def _instead(self, index: int) -> str:
        """Say what to do about a checkpoint that is damaged."""
        found = self._last_whole(index)
        if found is None:
            return "restore it from a copy, or train again elsewhere"
        place = found - len(self.records)
        return f"restore it from a copy, or take index {place}, the last whole one before it"

    def _last_whole(self, index: int) -> int | None:
        """Return the last measurement before one whose checkpoint can be read."""
        for earlier in range(range(len(self.records))[index] - 1, -1, -1):
            with contextlib.suppress(InputError):
                self.folder.load_checkpoint(self.records[earlier].step)
                return earlier
        return None

    def last_whole(self) -> int:
        """Return the index of the last measurement whose checkpoint is whole.

        Returns
        -------
        int
            The index; a warning names the damaged file where it is not the last measurement.

        Raises
        ------
        InputError
            If there is none.
        """
        if not self.config.recorded:
            _ = self.task  # first: what is wrong with the data is wrong at every step
        try:
            self.folder.load_checkpoint(self.records[-1].step)
        except InputError as error:
            found = self._last_whole(-1)
            if found is None:
                raise
            warnings.warn(
                f"epsrank: {error.argument} {error.problem}: the last whole checkpoint is used, "
                f"of step {self.records[found].step}",
                stacklevel=2,
            )
            return found
        return len(self.records) - 1

    def last_layer(self, index: int = -1) -> LastLayer:
        """Return features, coefficients and target of a measurement, rebuilt from its checkpoint.

        Parameters
        ----------
        index : int
            Index into `records`.

        Returns
        -------
        LastLayer
            The last layer on the probe; on the device of the run the very numbers measured.
        """
        kept = self._kept_layer(index)
        if kept is not None:
            return kept
        if self.config.recorded and self._blank is None:
            known = ", ".join(str(self.records[place].step) for place in self.with_last_layer())
            raise InputError(
                "step", f"has no last layer in {self.out}", f"take one of {known or 'another run'}"
            )
        model = self.network(index).to(self._device)
        return last_layer(model, self._probe, captured(model, self._probe)[-1])

    def with_last_layer(self) -> list[int]:
        """Return the measurements whose last layer can be had.

        Returns
        -------
        list of int
            Places in `records`: all, except where the network is the code of a recorded loop.
        """
        places = range(len(self.records))
        if not self.config.recorded or self._blank is not None:
            return list(places)
        return [at for at in places if self.folder.features(self.records[at].step).is_file()]

    def _kept_layer(self, index: int) -> LastLayer | None:
        """Return a last layer that `keep_features` has kept, bit for bit as it was measured."""
        if self.config.keep_features is None or not -len(self.records) <= index < len(self.records):
            return None
        path = self.folder.features(self.records[index].step)
        if not path.is_file():
            return None
        parts = {name: part.numpy() for name, part in read_tensors(path, self.out).items()}
        features, weights, bias = (parts[name] for name in ("features", "coefficients", "bias"))
        return collected(self._probe, features, weights, bias)

    def reading(self, index: int = -1) -> Reading:
        """Read the plateau at a measurement (F6), from its checkpoint.

        Parameters
        ----------
        index : int
            Index into `records`.

        Returns
        -------
        Reading
            The word, loss/V(B) and B½, with a free bias.

        Raises
        ------
        InputError
            If the run has no floor, or there is no such measurement.
        """
        return self.last_layer(index).reading(self.config.loss)

    def explain(self, step_a: int, step_b: int, *, eps: float | None = None) -> DropExplanation:
        """Say whether the drop between two measured steps needed other features (F8, R).

        Both last layers are those that `keep_features` has kept, or rebuilt from their checkpoints.

        Parameters
        ----------
        step_a, step_b : int
            Measured steps, the earlier one first.
        eps : float, optional
            ε of the ranks; the run's first by default.

        Returns
        -------
        DropExplanation
            Both answers with their numbers; ``print`` gives one paragraph.

        Raises
        ------
        InputError
            If a step was not measured, or the run has no floor.
        """
        from epsrank.theory.floor.change.explain import explain_drop

        steps = [record.step for record in self.records]
        for name, step in (("step_a", step_a), ("step_b", step_b)):
            if step not in steps:
                near = min(steps, key=lambda known: abs(known - step), default=None)
                raise InputError(name, f"is {step}", f"the nearest measured step is {near}")
        before, after = (self.last_layer(steps.index(step)) for step in (step_a, step_b))
        if before.constant is not None:
            raise InputError("run", "is a boundary-value problem", "explain runs of values")
        return explain_drop(
            before.features,
            after.features,
            after.target,
            coefficients_before=before.coefficients,
            coefficients_after=after.coefficients,
            bias_before=before.bias,
            bias_after=after.bias,
            eps=self.config.eps[0] if eps is None else eps,
            loss=self.config.loss,
            measure=after.measure,
            steps=(step_a, step_b),
        )

    def drops(
        self, staircase: Staircase | None = None, *, eps: Sequence[float] | None = None
    ) -> list[DropFigures]:
        """Answer for every drop whether features had to change, and whether more had to (F8, R).

        Parameters
        ----------
        staircase : Staircase, optional
            What `detect_staircase` found in the loss of the records: its drops are looked at, from
            the end of one plateau to the beginning of the next. Without it all pairs of bands of
            the loss are, bands shrinking by `keep_features`, or by ½.
        eps : sequence of float, optional
            Thresholds of the ranks; those of the run by default.

        Returns
        -------
        list of DropFigures
            One entry per drop; empty where the run has no floor, or its loss never falls.

        Examples
        --------
        >>> config = RunConfig(width=8, depth=1, steps=3, n_train=20, device="cpu")
        >>> from epsrank import train
        >>> [drop.step_after for drop in train(config).drops()]
        []
        """
        from epsrank.numerics.training.drops import explain_measurements, level_drops

        if staircase is None:
            return level_drops(self, self.config.keep_features or _BAND, eps)
        ends = [(step.start, step.end) for step in staircase.found]
        places = sorted({place for pair in ends for place in pair})
        pairs = [(places.index(s), places.index(t)) for s, t in ends]
        return explain_measurements(self, places, pairs, eps)

    def certificate(self, index: int = -1, eps: float | None = None) -> ChainCertificate:
        """Certify floor² ≤ envelope² ≤ V(‖W‖_F) ≤ loss at a measurement, in ball arithmetic.

        The features, coefficients and targets of the checkpoint are taken as exact; the output bias
        is the constant feature 1, or subtracted from the target, as in the run.

        Parameters
        ----------
        index : int
            Index into `records`.
        eps : float, optional
            Threshold; the first of the run by default.

        Returns
        -------
        ChainCertificate
            A verdict for each inequality: proved strictly, equal up to the enclosure, violated, or
            unresolved. Widths up to about 100 take seconds.

        Raises
        ------
        InputError
            If the run does not minimise the squared error, or there is no such measurement.
        """
        if self.config.loss != "mse":
            raise InputError(
                "run", f"minimises {self.config.loss}", "certify runs of the squared error (mse)"
            )
        last = self.last_layer(index)
        bias = cast(BiasName, self.config.bias)
        features, target, coefficients = last.without_bias(bias)
        return certify_chain(
            features.values,
            target,
            coefficients,
            self.config.eps[0] if eps is None else eps,
            measure=last.measure,
        )

    def _on(self) -> str:
        config = self.config
        return config.title if config.recorded else f"{config.task}, {config.optimizer}"

    def __str__(self) -> str:
        config = self.config
        head = (
            f"run of {config.described} on "
            f"{self._on()}: {self.status} at step {self.step} of "
            f"{config.steps} ({self.cause})"
        )
        return head if not self.records else f"{head}; {self.records[-1]}"

    def to_json(self) -> dict[str, Any]:
        """Return settings, progress and measurements as plain values.

        Returns
        -------
        dict
            Keys ``config``, ``step``, ``status``, ``cause``, ``records``.
        """
        return {
            "config": self.config.to_json(),
            "step": self.step,
            "status": self.status,
            "cause": self.cause,
            "records": [record.to_json() for record in self.records],
        }


def load_run(path: str | Path) -> Run:
    """Read a run from its folder, whether it was finished, interrupted or killed.

    Parameters
    ----------
    path : path
        The folder.

    Returns
    -------
    Run
        The run as last saved; its data are loaded when first needed.

    Raises
    ------
    InputError
        If there is no run, or a file of it is damaged.
    """
    folder = Path(path).expanduser()
    kind = folder_kind(folder)
    if kind not in {None, "run"}:
        raise InputError("run", f"is {folder}, {of_kind(kind)}", "pass a folder of a run")
    if not (folder / CONFIG).is_file():
        raise InputError("run", f"is {folder}, which holds no {CONFIG}", "pass a folder of a run")
    config = read_config(folder)
    progress = read_progress(folder)
    if progress is None:
        progress = Progress(0, "stopped", "interrupted before anything was saved")
    return Run(config, read_records(folder, config), progress, RunFolder(folder))


def read_records(folder: Path, config: RunConfig) -> list[StepRecord]:
    """Return the measurements in a folder."""
    # The state is written after the tables: where it stands, these have been there.
    if not (folder / HISTORY).is_file() and not (folder / STATE).is_file():
        return []
    history, spectra = (read_table(folder / name, folder) for name in (HISTORY, SPECTRA))
    try:
        return records_from_tables(history, spectra, config)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "out", f"holds tables of another form ({error})", "train again elsewhere"
        ) from None
