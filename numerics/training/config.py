"""The settings of one training run, checked as a whole and kept as TOML."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import tomli_w
import torch

from epsrank.numerics.first_layer.slope import as_slope
from epsrank.numerics.named import is_name, name_of
from epsrank.numerics.networks.activations import check_activation
from epsrank.numerics.networks.initialise import PLACED, check_initialisation
from epsrank.numerics.operators.stacked import as_kappa
from epsrank.numerics.tasks.load import DATA, TASKS
from epsrank.numerics.tasks.posed import as_domain
from epsrank.theory.data.inputs import as_eps, as_share, as_whole
from epsrank.theory.errors import InputError, named_entries
from epsrank.theory.numbers.written import reader

# Rates where none is given; ours.
DEFAULT_RATES = {"sgd": 1e-2, "momentum": 1e-2, "adam": 1e-3, "adamw": 1e-3, "lbfgs": 1.0}

#: Architectures, and the fewest hidden layers that each can have.
LEAST_DEPTH = {
    "mlp": 1,
    "resnet": 1,
    "modified": 2,  # the lifted input, and one gate
    "adaptive": 2,  # the lifted input, and one block
    "cnn": 2,  # a convolution, and the dense layer
    "transformer": 3,  # the patches, one block, and the dense layer
    "bottleneck": 3,  # the neck between two layers
}

#: Settings that are one of a few words.
CHOICES = {
    "network": tuple(LEAST_DEPTH),
    "optimizer": tuple(DEFAULT_RATES),
    "dtype": ("float64", "float32"),
    "device": ("auto", "cpu", "cuda"),
    "loss": ("mse", "cross-entropy"),
    "bias": ("feature", "fixed"),
}

# PyTorch crashes where the system refuses it a thread, at some ten thousands.
_MOST_THREADS = 1024


@named_entries("setting of a run")
@dataclass(frozen=True)
class RunConfig:
    """Settings of a run: same settings, same machine, same numbers, bit for bit.

    Attributes
    ----------
    task : str
        A key of ``epsrank.numerics.tasks.TASKS``; ``"data"``, with the files in `data`; or what
        ``"module:name"`` means, a task of one's own (a function of x, a `BoundaryProblem`, a
        `Task`, a ``Dataset``, or a factory). In place of its name such an object may be given.
    network : str
        Architecture, ``mlp``, ``resnet``, ``modified``, ``adaptive``, ``cnn``, ``transformer`` or
        ``bottleneck``: of ``epsrank.numerics.networks`` `MLP`, `ResNet`, `ModifiedMLP`,
        `AdaptiveNet`, `SmallCNN`, `SmallTransformer` and `BottleneckMLP`. Or ``"module:name"``, a
        factory of one's own that returns a ``torch.nn.Module``; or that factory itself.
    width : int
        Neurons n of every hidden layer (channels of a convolution).
    depth : int
        Number of hidden layers. Width and depth of a network of one's own are what its factory
        makes of them.
    activation : str
        Name of σ; one of torch (``softplus``) or ``"module:name"``, too.
    init : str
        A key of ``epsrank.numerics.networks.INITIALISATIONS``.
    init_scale : float or None
        Factor s of the initialisation; None means its default.
    slope : float, "auto", "auto:R" or None
        Slope γ of a placed first layer (``structured``, ``transnet``); ``auto`` chooses it by the
        predicted ε-rank (of at least R) at the first of `eps`; None means its rule, for
        ``transnet`` the slope that fits random fields best.
    optimizer : {"sgd", "momentum", "adam", "adamw", "lbfgs"}
        ``momentum`` is SGD with momentum 0.9; one step of ``lbfgs`` is one iteration with a strong
        Wolfe line search.
    learning_rate : float
        Step size; None at construction takes the optimiser's entry of `DEFAULT_RATES`.
    batch_size : int or None
        Samples per step; None means all.
    steps : int
        Number of updates.
    seed : int
        Seed of weights, structured layer, data order, split and probe.
    dtype : {"float64", "float32"}
        Arithmetic of the training; measurements are in float64 in either case.
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes CUDA where present.
    eps : tuple of float
        Thresholds ε of the ranks; the first is the one that summaries and plots show.
    measure_every : int or "auto"
        Updates between measurements; ``auto`` is dense at first, then evenly spaced.
    loss : {"mse", "cross-entropy"}
        ``mse`` is ∫ ‖u − u*‖² dμ, summed (not averaged) over the k outputs.
    n_train : int or None
        Training samples; None leaves it to the task.
    probe : int or None
        Training samples that measurements look at; None means at most 2000 (500 for
        ``cnn`` and ``transformer``).
    n_test : int or None
        Test samples that measurements look at; None means all.
    data : str, tuple of str or None
        Files of the task's data; with the task ``data`` also ``"module:name"``.
    threads : int
        Threads to compute with; the last bits depend on it, so it is a setting.
    bias : {"feature", "fixed"}
        How the floor treats the output bias (math §0): as the constant feature 1, or subtracted
        from the target.
    boundary_weight : float or None
        κ of a boundary-value problem (L1); None means the task's.
    domain : tuple of (float, float), or None
        The box of a function of one's own, one pair per input; None means its attribute ``domain``.
    target_columns : tuple of str
        With a table as `data`: its columns that are targets.
    input_columns : tuple of str
        With a table as `data`: its columns that are inputs; by default all that are no targets.
    keep_features : float or None
        A factor c in (0, 1): the folder of the run keeps, in float64, the last hidden layer on the
        probe with the output layer, at one measurement per band of the loss, bands shrinking by c
        (`epsrank.numerics.training.drops`). At most 16 are kept for squares, 8 for other losses;
        None keeps none.

    Examples
    --------
    >>> config = RunConfig(task="cosines", width=50, depth=3, steps=2000)
    >>> RunConfig.from_toml(config.to_toml()) == config
    True
    """

    task: str = "cosines"
    network: str = "mlp"
    width: int = 50
    depth: int = 2
    activation: str = "tanh"
    init: str = "default"
    init_scale: float | None = None
    optimizer: str = "adam"
    learning_rate: float | None = None
    batch_size: int | None = None
    steps: int = 15_000
    seed: int = 0
    dtype: str = "float64"
    device: str = "auto"
    eps: tuple[float, ...] = (1e-6, 1e-4, 1e-2)
    measure_every: int | str = "auto"
    loss: str = "mse"
    n_train: int | None = None
    probe: int | None = None
    data: str | tuple[str, ...] | None = None
    threads: int = 1
    bias: str = "feature"
    slope: float | str | None = None
    boundary_weight: float | None = None
    n_test: int | None = None
    domain: tuple[tuple[float, float], ...] | None = None
    target_columns: tuple[str, ...] = ()
    input_columns: tuple[str, ...] = ()
    keep_features: float | None = None

    def __post_init__(self) -> None:
        self._name_objects()
        self._check_choices(CHOICES)
        # What a name means is looked up where it is needed: settings are read elsewhere, too.
        if not (self.task in TASKS or self.task == DATA or is_name(self.task)):
            known = ", ".join((*TASKS, DATA))
            raise InputError("task", f"is {self.task!r}", f"choose one of {known}, or module:name")
        check_activation(self.activation)
        check_initialisation(self.init, self.init_scale)
        object.__setattr__(self, "slope", as_slope(self.slope, name="slope"))
        if self.slope is not None and self.init not in PLACED:
            raise InputError("slope", f"is {self.slope!r}", "take init 'structured' with it")
        self._whole_numbers()
        if self.boundary_weight is not None:
            kappa = as_kappa(self.boundary_weight, name="boundary_weight")
            object.__setattr__(self, "boundary_weight", kappa)
        self._texts()
        object.__setattr__(self, "domain", as_domain(self.domain))
        self._normalise()

    def _check_choices(self, names: Iterable[str]) -> None:
        """Check settings that are one of a few words."""
        for name in names:
            value, choices = getattr(self, name), CHOICES[name]
            if value not in choices and not (name == "network" and is_name(value)):
                more = ", or module:name" if name == "network" else ""
                known = ", ".join(choices) + more
                raise InputError(name, f"is {value!r}", f"choose one of {known}")

    def _name_objects(self) -> None:
        """Write functions, classes and objects as the names under which others find them."""
        for name in ("task", "network", "activation"):
            value = getattr(self, name)
            # Numbers and None are mistakes, and have no name.
            if not (value is None or isinstance(value, (str, int, float))):
                object.__setattr__(self, name, name_of(value, argument=name))

    def _texts(self) -> None:
        """Check paths and names of columns, one or several."""
        for name, lone in (("data", True), ("target_columns", False), ("input_columns", False)):
            value = getattr(self, name)
            if value is None or (lone and isinstance(value, str)):
                continue
            several = (value,) if isinstance(value, str) else value
            if not isinstance(several, (tuple, list)) or not all(
                isinstance(entry, str) for entry in several
            ):
                raise InputError(name, f"is {value!r}", "pass a string, or several")
            one = lone and len(several) == 1
            object.__setattr__(self, name, several[0] if one else tuple(several))

    def _whole_numbers(self) -> None:
        """Check the whole numbers."""
        least = {"depth": LEAST_DEPTH.get(self.network, 1), "steps": 0, "seed": 0}
        needed = ("width", "depth", "steps", "seed", "threads")
        for name in (*needed, "batch_size", "n_train", "probe", "n_test"):
            value = getattr(self, name)
            if value is not None or name in needed:
                most = _MOST_THREADS if name == "threads" else None
                whole = as_whole(value, name, least=least.get(name, 1), most=most)
                object.__setattr__(self, name, whole)
        if self.seed >= 2**63:
            raise InputError("seed", f"is {self.seed}", "pass a number below 2^63")
        if self.measure_every != "auto":
            every = as_whole(self.measure_every, "measure_every")
            object.__setattr__(self, "measure_every", every)

    def _normalise(self) -> None:
        """Fill in the learning rate, and write numbers the way TOML gives them back."""
        if self.keep_features is not None:
            factor = as_share(self.keep_features, "keep_features")
            object.__setattr__(self, "keep_features", factor)
        rate = self.learning_rate
        if rate is None:
            rate = DEFAULT_RATES[self.optimizer]
        if isinstance(rate, bool) or not isinstance(rate, (int, float)):
            raise InputError("learning_rate", f"is {rate!r}", "pass a positive number")
        if not (math.isfinite(rate) and rate > 0):
            raise InputError("learning_rate", f"is {rate!r}", "pass a positive number")
        object.__setattr__(self, "learning_rate", float(rate))
        if self.init_scale is not None:
            object.__setattr__(self, "init_scale", float(self.init_scale))
        if not isinstance(self.eps, (tuple, list)) or not self.eps:
            raise InputError("eps", f"is {self.eps!r}", "pass at least one threshold, (1e-6,)")
        thresholds = tuple(as_eps(value) for value in self.eps)
        # Columns of the tables are named after them.
        if len(set(thresholds)) < len(thresholds):
            raise InputError("eps", f"is {thresholds!r}", "name each threshold once")
        object.__setattr__(self, "eps", thresholds)

    @property
    def rate(self) -> float:
        """The learning rate as a number."""
        assert self.learning_rate is not None
        return self.learning_rate

    @property
    def torch_dtype(self) -> torch.dtype:
        """The arithmetic of the training."""
        return torch.float64 if self.dtype == "float64" else torch.float32

    @property
    def title(self) -> str:
        """One line that names a run of these settings."""
        return f"{self.task}, {self.described}, {self.init} init, seed {self.seed}"

    @property
    def caption(self) -> str:
        """The same, shorter."""
        return f"{self.task}, {self.described}, seed {self.seed}"

    @property
    def recorded(self) -> bool:
        """Whether the loop was the user's (`epsrank.numerics.training.recorded`)."""
        return False

    @property
    def own_network(self) -> bool:
        """Whether the network is the user's, so that its layers are what they are."""
        return self.recorded or is_name(self.network)

    @property
    def described(self) -> str:
        """The network in a few words."""
        if is_name(self.network):
            return self.network
        return f"{self.activation} {self.network} {self.depth}×{self.width}"

    def to_toml(self) -> str:
        """Return the settings as TOML; what is None is left out.

        Returns
        -------
        str
            A TOML document.
        """
        # TOML has no null.
        values = {name: value for name, value in self.to_json().items() if value not in (None, [])}
        return tomli_w.dumps(values)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values.

        Returns
        -------
        dict
            One entry per attribute.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }
        if self.domain is not None:
            values["domain"] = [list(side) for side in self.domain]
        return values

    @classmethod
    def from_toml(cls, source: str | Path) -> RunConfig:
        """Read settings from a TOML document, or from a file when given as a ``Path``.

        Parameters
        ----------
        source : str or Path
            The document itself, or the path of a file.

        Returns
        -------
        RunConfig
            The settings; what is left out has its default.

        Raises
        ------
        InputError
            If the file cannot be read, is not TOML, or has unknown or wrong entries.
        """
        try:
            text = source.read_text("utf-8") if isinstance(source, Path) else source
            values = tomllib.loads(text, parse_float=reader(float, "config"))
        except InputError:
            raise
        except OSError as error:
            raise InputError(
                "config", f"{source} cannot be read ({error.strerror})", "check the path"
            ) from None
        # Not TOML, not UTF-8, or nested too deeply.
        except (ValueError, RecursionError) as error:
            raise InputError("config", f"is not TOML ({error})", "fix the file") from None
        if not values:  # a file that lost its content would be a training by the defaults
            raise InputError("config", "is empty", "write settings, such as task = 'cosines'")
        known = [field.name for field in fields(cls)]
        unknown = [name for name in values if name not in known]
        if unknown:
            raise InputError(
                "config", f"has unknown entries {', '.join(unknown)}", f"use {', '.join(known)}"
            )
        # TOML has arrays, and no tuples.
        if isinstance(values.get("eps"), list):
            values["eps"] = tuple(values["eps"])
        return cls(**values)
