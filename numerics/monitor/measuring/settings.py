"""What a monitor measures, checked once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, cast, get_args

from epsrank.numerics.monitor.measuring.probe_set import ProbeSet
from epsrank.numerics.monitor.measuring.reading import Bias, LossKind
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.numerics.monitor.numbers.quantities import WIDE
from epsrank.theory.data.inputs import as_eps
from epsrank.theory.errors import InputError

MeasureKind = Literal["mean", "raw"]
QuantityChoice = Literal["auto", "all", "ranks"]


@dataclass(frozen=True)
class Settings:
    """Arguments of `RankMonitor` that say what is measured.

    Attributes
    ----------
    eps : tuple of float
        Thresholds.
    relative : bool
        Whether they are multiples of λ_1.
    measure : {"mean", "raw"}
        Measure of Gram matrices.
    quantities : {"auto", "all", "ranks"}
        Whether spectra are computed: up to a width of 1024, always, or never (counts only).
    loss : {"mse", "cross_entropy"} or None
        Loss of the reading.
    bias : {"feature", "fixed"}
        What the head's bias is taken for.
    forgetting : float or None
        Factor by which earlier batches count less.
    max_samples : int
        Most probe samples, and most rows of a reading.
    """

    eps: tuple[float, ...]
    relative: bool
    measure: MeasureKind
    quantities: QuantityChoice
    loss: LossKind | None
    bias: Bias
    forgetting: float | None
    max_samples: int

    def spectrum(self, n_features: int) -> bool:
        """Return whether the spectrum of a layer is computed.

        Parameters
        ----------
        n_features : int
            Its width.

        Returns
        -------
        bool
            False where counting is enough.
        """
        return self.quantities == "all" or (self.quantities == "auto" and n_features <= WIDE)


def as_settings(
    *,
    eps: Any,
    relative: Any,
    measure: Any,
    quantities: Any,
    loss: Any,
    bias: Any,
    forgetting: Any,
    max_samples: Any,
) -> Settings:
    """Check the arguments.

    Parameters
    ----------
    eps, relative, measure, quantities, loss, bias, forgetting, max_samples
        As given to `RankMonitor`.

    Returns
    -------
    Settings
        The checked values.

    Raises
    ------
    InputError
        If one cannot be used.
    """
    scalar = isinstance(eps, str) or getattr(eps, "ndim", None) == 0
    given = list(eps) if isinstance(eps, Iterable) and not scalar else [eps]
    if not given:
        raise InputError("eps", "is empty", "pass at least one threshold, such as (1e-6,)")
    thresholds = tuple(dict.fromkeys(as_eps(value) for value in given))
    if not isinstance(relative, bool):
        raise InputError("relative", f"is {relative!r}", "pass True or False")
    for name, value, choices in (
        ("measure", measure, get_args(MeasureKind)),
        ("quantities", quantities, get_args(QuantityChoice)),
        ("loss", loss, (None, *get_args(LossKind))),
        ("bias", bias, get_args(Bias)),
    ):
        if value not in choices:
            named = ", ".join(repr(choice) for choice in choices)
            raise InputError(name, f"is {value!r}", f"choose one of {named}")
    if forgetting is not None and (
        isinstance(forgetting, bool)
        or not isinstance(forgetting, (int, float))
        or not 0 <= forgetting < 1
    ):
        raise InputError("forgetting", f"is {forgetting!r}", "pass None or a number in [0, 1)")
    if isinstance(max_samples, bool) or not isinstance(max_samples, int) or max_samples < 1:
        raise InputError("max_samples", f"is {max_samples!r}", "pass a whole number ≥ 1")
    return Settings(
        eps=thresholds,
        relative=relative,
        measure=cast(MeasureKind, measure),
        quantities=cast(QuantityChoice, quantities),
        loss=cast("LossKind | None", loss),
        bias=cast(Bias, bias),
        forgetting=None if forgetting is None else float(forgetting),
        max_samples=max_samples,
    )


def environment(plan: LayerPlan, settings: Settings, probe: ProbeSet | None) -> dict[str, Any]:
    """Return the metadata of a history as plain data.

    Parameters
    ----------
    plan : LayerPlan
        What is measured.
    settings : Settings
        How.
    probe : ProbeSet or None
        On which samples.

    Returns
    -------
    dict
        Keys ``eps``, ``relative``, ``measure``, ``quantities``, ``loss``, ``bias``,
        ``forgetting``, ``max_samples``, ``samples``, ``probe_samples`` (None without a
        probe, or of batches), ``model``, ``layers``, ``skipped``, ``versions``.
    """
    described = plan.to_json()
    return {
        "eps": list(settings.eps),
        "relative": settings.relative,
        "measure": settings.measure,
        "quantities": settings.quantities,
        "loss": settings.loss,
        "bias": settings.bias,
        "forgetting": settings.forgetting,
        "max_samples": settings.max_samples,
        "samples": "training batches" if probe is None else "probe",
        "probe_samples": None if probe is None else probe.n_samples,
        "model": type(plan.model).__name__,
        "layers": described["layers"],
        "skipped": described["skipped"],
        "versions": {name: _version(name) for name in ("epsrank", "torch", "numpy", "scipy")},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
