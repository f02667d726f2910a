"""`RunRecorder`: a training loop of the user's, kept as a run of the suite."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.networks import FeatureNetwork, evaluating
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.folder import claimed
from epsrank.numerics.training.making import RunInMaking, SaveClock
from epsrank.numerics.training.measure import NotFiniteError
from epsrank.numerics.training.own_network import OwnNetwork, why_no_floor
from epsrank.numerics.training.packed import Unpacked, packed
from epsrank.numerics.training.record import StepRecord
from epsrank.numerics.training.recorded import RecordedConfig, save_samples
from epsrank.numerics.training.run import Run
from epsrank.numerics.training.state import Progress
from epsrank.theory.data.inputs import as_weights
from epsrank.theory.errors import InputError, described
from epsrank.theory.words import plural

_RUNNING = "running, or killed"
#: The history of a monitor beside the tables of the run.
MONITOR = "monitor.parquet"


class RunRecorder:
    """Keeps ‖u − u*‖², V(B), floors and ε-ranks of anyone's training loop in the folder of a run.

    The folder is that of `train`: ``epsrank plot``, ``epsrank watch``, ``epsrank rank`` and
    `load_run` read it, and whatever is in it is whole at any moment, also after a kill. The layers
    of the network are found by a pass; between measurements nothing is computed, and measuring
    changes neither weights nor buffers, modes or random numbers.

    Parameters
    ----------
    out : path
        Folder; it must be empty or new unless `resume`.
    model : torch.nn.Module
        The network that the loop trains.
    x : array_like, Tensor, or a tuple or mapping of these
        Inputs of the samples that measurements look at, one row each; of a tuple they are the
        arguments of ``forward``, of a mapping its arguments by name.
    y : array_like or Tensor
        Numbers (N,) or (N, k), or, for a cross-entropy, one whole number per sample.
    steps : int
        Updates that the loop is to make.
    loss : {"mse", "cross-entropy"}
        ``mse`` is the mean over samples of ‖u − y‖², summed over outputs.
    test : pair of array_like, optional
        Test samples x and y; without them there is no test loss.
    weights : array_like, optional
        Weights w_i ≥ 0 of the samples.
    measure : {"mean", "raw"}
        Measure of losses and ranks.
    eps : tuple of float
        Thresholds ε.
    measure_every : int or "auto"
        Updates between measurements, as for `RunConfig`.
    bias : {"feature", "fixed"}
        The output bias in the floor, as for `RunConfig`.
    optimizer : torch.optim.Optimizer, optional
        Kept with the weights, so that a resumed loop goes on with it.
    name : str
        What figures call the run.
    settings : mapping, optional
        Plain values of yours to be kept with it, such as the learning rate.
    keep_features : float or None
        Which last layers are kept for figures of the floor and for `Run.drops`: see `RunConfig`.
    monitor : RankMonitor or History, optional
        Its history is kept in the folder too, as ``monitor.parquet``, which ``epsrank watch`` and
        ``epsrank plot`` read.
    resume : bool
        Put the weights, and the state of the optimiser, back to where the folder has them;
        `step_count` says where that is.

    Attributes
    ----------
    step_count : int
        Updates made.
    records : list of StepRecord
        The measurements.

    Raises
    ------
    InputError
        If an argument or the folder cannot be used, or the network does not take the samples.

    Examples
    --------
    >>> import tempfile, torch
    >>> x = torch.linspace(-1, 1, 40)[:, None]
    >>> model = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    >>> optimizer = torch.optim.Adam(model.parameters())
    >>> with tempfile.TemporaryDirectory() as out:
    ...     with RunRecorder(out, model, x, x**2, steps=3) as recorder:
    ...         for _ in range(3):
    ...             optimizer.zero_grad()
    ...             loss = (model(x) - x**2).square().mean()
    ...             loss.backward()
    ...             _ = optimizer.step()
    ...             _ = recorder.step(loss)
    >>> [record.step for record in recorder.records], recorder.run().status
    ([0, 1, 2, 3], 'complete')
    """

    def __init__(
        self,
        out: str | Path,
        model: nn.Module,
        x: Any,
        y: Any,
        *,
        steps: int,
        loss: str = "mse",
        test: tuple[Any, Any] | None = None,
        weights: Any = None,
        measure: str = "mean",
        eps: tuple[float, ...] = (1e-6, 1e-4, 1e-2),
        measure_every: int | str = "auto",
        bias: str = "feature",
        optimizer: torch.optim.Optimizer | None = None,
        name: str = "a loop of one's own",
        settings: Mapping[str, Any] | None = None,
        keep_features: float | None = 0.5,
        monitor: Any = None,
        resume: bool = False,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise InputError("model", f"is a {type(model).__name__}", "pass a torch.nn.Module")
        if measure not in ("mean", "raw"):
            raise InputError("measure", f"is {measure!r}", "choose 'mean' or 'raw'")
        first = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(1))
        self._history = _history_of(monitor)
        inputs, model = _inputs_of(model, x)
        if test is not None and isinstance(test, (tuple, list)) and len(test) == 2:
            test = (_packed(test[0], "test x"), test[1])
        self._network = _wrapped(model, inputs[:3].to(first.device), first.dtype)
        task = _task(name, inputs, y, loss, test, first.dtype, self._network)
        if weights is not None:
            task = _weighted(task, weights)
        if measure == "raw":
            task = replace(task, measure="raw")
        sizes = [layer.shape[1] for layer in _hidden(self._network, task.x[:3].to(first.device))]
        config = RecordedConfig(
            steps=steps, loss=loss, eps=eps, measure_every=measure_every, bias=bias, name=name,
            own=dict(settings or {}), keep_features=keep_features, depth=len(sizes),
            width=sizes[-1], dtype=str(first.dtype).removeprefix("torch."),
            device=first.device.type,
        )  # fmt: skip
        self._making = _Making(config, task, first.device, self._network)
        own = _NoOptimizer() if optimizer is None else optimizer
        self._optimizer = cast(torch.optim.Optimizer, own)
        self._clock = SaveClock()
        self._held = ExitStack()
        self._closed = False
        self._held.enter_context(claimed(out))
        try:
            held = self._making.take_up(out, self._network, self._optimizer, resume=resume)
            self._begin(held)
        except BaseException:
            self._held.close()
            raise

    def _begin(self, held: bool) -> None:
        """Keep the samples of a folder that held nothing, and measure where that was not done."""
        making = self._making
        if not held:
            save_samples(making.folder.path, making.task, making.folder.manifest)
        self.step_count = making.progress.step
        if not making.records:
            self._measure()
        if making.progress.status == "stopped":
            making.progress = Progress(self.step_count, "stopped", _RUNNING)
            self._save()

    @property
    def records(self) -> list[StepRecord]:
        """The measurements."""
        return self._making.records

    def step(self, loss: Tensor | float | None = None) -> StepRecord | None:
        """Count one update, and measure if it is time; call it after ``optimizer.step()``.

        Parameters
        ----------
        loss : Tensor or float, optional
            Training loss of the step: where it is not finite, the run has diverged.

        Returns
        -------
        StepRecord or None
            The measurement, where one was made.

        Raises
        ------
        InputError
            If the recorder is closed, or more steps are made than were announced.
        """
        making = self._making
        if self._closed:
            raise InputError("recorder", "is closed", "call step() inside of its with block")
        if self.step_count >= making.config.steps:
            raise InputError(
                "steps", f"is {making.config.steps}, and there is one more", "announce them all"
            )
        self.step_count += 1
        if making.progress.status == "diverged":
            return None
        value = 0.0 if loss is None else float(loss.detach() if isinstance(loss, Tensor) else loss)
        if not math.isfinite(value):
            cause = f"the loss is {value} at step {self.step_count}"
            making.progress = Progress(self.step_count, "diverged", cause)
            self._save()
            return None
        making.progress = Progress(self.step_count, "stopped", _RUNNING)
        record = self._measure() if self.step_count in making.schedule else None
        if self._clock.due:
            self._save()
        return record

    def _measure(self) -> StepRecord | None:
        """Measure, with the random numbers left as they were."""
        making, device = self._making, self._making.device
        try:
            with torch.random.fork_rng([device] if device.type == "cuda" else []):
                return making.measure(self._network, self.step_count)
        except NotFiniteError as error:
            making.progress = Progress(self.step_count, "diverged", str(error))
            self._save()
            return None

    def _save(self) -> None:
        with self._clock.saving():
            self._making.save(self._network, self._optimizer)
            history = None if self._history is None else self._history()
            if history:
                history.to_parquet(self._making.folder.path / MONITOR)

    def run(self) -> Run:
        """Return the run as it stands.

        Returns
        -------
        Run
            What `load_run` gives of the folder, and its networks besides.
        """
        return self._making.run()

    def close(self, cause: str | None = None) -> None:
        """Measure the last step, save, and leave the folder to others.

        Parameters
        ----------
        cause : str, optional
            Why the loop ended before its last step.
        """
        if self._closed:
            return
        self._closed = True
        making = self._making
        try:
            if making.progress.status == "stopped":
                measured = making.records and making.records[-1].step == self.step_count
                if cause is None and not measured:
                    self._measure()
                if making.progress.status == "stopped":
                    done = self.step_count == making.config.steps
                    if done and cause is None:
                        making.progress = Progress(self.step_count, "complete", "all steps done")
                    else:
                        why = cause or "left before its end"
                        making.progress = Progress(self.step_count, "stopped", why)
                self._save()
        finally:
            self._held.close()

    def __enter__(self) -> RunRecorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stopped = isinstance(error, KeyboardInterrupt)
        cause = "interrupted" if stopped else " ".join(described(error).split()) if error else None
        self.close(cause)


class _Making(RunInMaking):
    """A run whose networks are copies of the user's."""

    def __init__(
        self,
        config: RecordedConfig,
        task: Task,
        device: torch.device,
        network: OwnNetwork,
    ) -> None:
        super().__init__(config, task, device)
        self._blank = partial(_copied, network)

    def run(self) -> Run:
        """Return the run as it stands."""
        given = self.config, self.records, self.progress, self.folder, self.task
        return Run(*given, self._blank)


def _copied(network: OwnNetwork) -> FeatureNetwork:
    """Return a copy of the user's network, to put a checkpoint into."""
    return copy.deepcopy(network).cpu()


class _NoOptimizer:
    """Stands for an optimiser that the user keeps to himself."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load nothing."""


def _history_of(monitor: Any) -> Callable[[], History] | None:
    """Return what gives the history of a monitor as it stands."""
    if monitor is None:
        return None
    found = getattr(monitor, "history", monitor)
    if not isinstance(found, History):
        raise InputError(
            "monitor", f"is a {type(monitor).__name__}", "pass a RankMonitor or its history"
        )
    return lambda: getattr(monitor, "history", monitor)


def _inputs_of(model: nn.Module, x: Any) -> tuple[Tensor, nn.Module]:
    """Return inputs as one tensor, and the network as one of it."""
    if not isinstance(x, (tuple, Mapping)):
        return _tensor(x, "x"), model
    names = tuple(x) if isinstance(x, Mapping) else ()
    parts = _parts(x, "x")
    return packed(parts, "x"), Unpacked(model, parts, names)


def _parts(x: Any, name: str) -> list[Tensor]:
    values = x.values() if isinstance(x, Mapping) else x
    parts = [_tensor(value, name) for value in values]
    if not parts:
        raise InputError(name, "is empty", "pass one row per sample")
    return parts


def _packed(x: Any, name: str) -> Any:
    return packed(_parts(x, name), name) if isinstance(x, (tuple, Mapping)) else x


def _tensor(values: Any, name: str) -> Tensor:
    """Return samples as a tensor on the CPU."""
    try:
        tensor = torch.as_tensor(values).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(name, f"is no array ({reason})", "pass one row per sample") from None
    if tensor.ndim == 0 or len(tensor) == 0:
        raise InputError(name, f"has shape {tuple(tensor.shape)}", "pass one row per sample")
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        bad = int((~torch.isfinite(tensor)).sum())
        raise InputError(name, f"has {bad} NaN or infinite entries", "drop those samples")
    return tensor


def _wrapped(model: nn.Module, example: Tensor, dtype: torch.dtype) -> OwnNetwork:
    """Find the layers of the user's network."""
    floats = example.is_floating_point()
    example = example.to(dtype) if floats else example
    try:
        plan = find_layers(model, "auto", example=[example])
    except InputError as error:
        argument = "x" if error.argument == "probe" else "model"
        raise InputError(argument, error.problem, error.remedy) from None
    shape = tuple(example.shape[1:])
    return OwnNetwork(plan.model, plan, shape, None if floats else example.dtype)


def _hidden(network: OwnNetwork, x: Tensor) -> list[Tensor]:
    """Return the layers as matrices, and note whether there is a floor."""
    with evaluating(network), torch.no_grad():
        found = network.hidden(x)
    network.no_floor = why_no_floor(network, x)
    return found


def _task(
    name: str,
    x: Tensor,
    y: Any,
    loss: str,
    test: tuple[Any, Any] | None,
    dtype: torch.dtype,
    network: OwnNetwork,
) -> Task:
    """Return the samples as a task."""
    rows = x.reshape(len(x), -1).to(dtype)
    outputs = _outputs(network, rows[:3])
    targets = _targets(_tensor(y, "y"), loss, dtype, outputs)
    # Without test samples one stands there, whose loss is not known.
    x_test, y_test = rows[:1], torch.full_like(targets[:1], math.nan)
    if test is not None:
        if not isinstance(test, (tuple, list)) or len(test) != 2:
            raise InputError("test", f"is a {type(test).__name__}", "pass a pair x, y")
        test_x = _tensor(test[0], "test x")
        x_test = test_x.reshape(len(test_x), -1).to(dtype)
        y_test = _targets(_tensor(test[1], "test y"), loss, dtype, outputs)
    for what, left, right in (("y", rows, targets), ("test y", x_test, y_test)):
        if len(left) != len(right) or left.shape[1] != rows.shape[1]:
            problem = f"has {plural(len(right), 'row')} for {plural(len(left), 'sample')}"
            raise InputError(what, problem, "pass one row of each per sample")
    return Task(
        name=name,
        kind="classification" if loss == "cross-entropy" else "regression",
        x=rows,
        y=targets,
        x_test=x_test,
        y_test=y_test,
        description="samples of a loop of one's own",
    )


def _outputs(network: OwnNetwork, x: Tensor) -> int:
    """Return the number of outputs."""
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    with evaluating(network), torch.no_grad():
        found = network(x.to(device))
    if found.ndim != 2 or len(found) != len(x):
        problem = f"gives {tuple(found.shape)} for {plural(len(x), 'sample')}"
        raise InputError("model", problem, "let it return (N, k) or (N,)")
    return int(found.shape[1])


def _targets(y: Tensor, loss: str, dtype: torch.dtype, outputs: int) -> Tensor:
    """Return targets as a matrix; labels as one-hot rows."""
    if loss == "cross-entropy" and y.ndim == 1:
        remedy = f"pass labels 0 … {outputs - 1} as whole numbers, as the network has outputs"
        if y.is_floating_point() or y.is_complex():
            raise InputError("y", f"is of {y.dtype}", remedy)
        if int(y.min()) < 0 or int(y.max()) >= outputs:
            raise InputError("y", f"has labels {int(y.min())} to {int(y.max())}", remedy)
        return torch.nn.functional.one_hot(y.long(), outputs).to(dtype)
    columns = y[:, None] if y.ndim == 1 else y
    if columns.ndim != 2 or columns.shape[1] != outputs:
        problem = f"has shape {tuple(y.shape)}, and the network {plural(outputs, 'output')}"
        raise InputError("y", problem, "pass a target for each output")
    return columns.to(dtype)


def _weighted(task: Task, weights: Any) -> Task:
    checked = as_weights(np.asarray(weights), task.n_samples, name="weights")
    return replace(task, weights=torch.from_numpy(np.array(checked)))
