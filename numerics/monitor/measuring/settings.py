"""What a monitor measures, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from epsrank.numerics.environment import package_version
from epsrank.numerics.monitor.measuring.probe_set import ProbeSet
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.numerics.monitor.model.samples import Weigh, of_batch
from epsrank.numerics.monitor.numbers.quantities import WIDE
from epsrank.numerics.monitor.quantity.contract import Quantity, as_quantities
from epsrank.theory.data.inputs import as_eps, as_whole, several
from epsrank.theory.errors import InputError
from epsrank.theory.floor.reading import ReadingBias as Bias

if TYPE_CHECKING:
    from epsrank.numerics.losses import UserLoss

MeasureKind = Literal["mean", "raw"]
QuantityChoice = Literal["auto", "all", "ranks"]


@dataclass(frozen=True)
class Settings:
    """Arguments of `RankMonitor` that say what is measured."""

    #: Thresholds.
    eps: tuple[float, ...]
    #: Whether they are multiples of λ_1.
    relative: bool
    #: Measure of Gram matrices.
    measure: MeasureKind
    #: Whether spectra are computed: up to a width of 1024, always, or never (counts only).
    quantities: QuantityChoice
    #: Loss of the reading, or of every head by its name.
    loss: UserLoss | Mapping[str, UserLoss] | None
    #: What the head's bias is taken for.
    bias: Bias
    #: Factor by which earlier batches count less.
    forgetting: float | None
    #: Most probe samples, and most rows of a reading.
    max_samples: int
    #: The user's own quantities by name.
    own: Mapping[str, Quantity]
    #: Weights of a batch, where they are computed from it.
    weigh: Weigh | None = None

    def loss_of(self, head: str) -> UserLoss | None:
        """Return the loss of the reading of one head."""
        return self.loss.get(head) if isinstance(self.loss, Mapping) else self.loss

    def spectrum(self, n_features: int) -> bool:
        """Return whether the spectrum of a layer is computed."""
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
    mask: Any = None,
    weights: Any = None,
) -> Settings:
    """Check the arguments."""
    given = several(eps)
    if not given:
        raise InputError("eps", "is empty", "pass at least one threshold, such as (1e-6,)")
    thresholds = tuple(dict.fromkeys(as_eps(value) for value in given))
    if not isinstance(relative, bool):
        raise InputError("relative", f"is {relative!r}", "pass True or False")
    choice, own_quantities = as_quantities(quantities, get_args(QuantityChoice))
    known: UserLoss | dict[str, UserLoss] | None = None
    # Convex losses are loaded by who has one: a monitor of ranks does without.
    if isinstance(loss, Mapping):
        from epsrank.numerics.losses import understood

        known = {str(name): understood(own) for name, own in loss.items()}
    elif loss is not None:
        from epsrank.numerics.losses import understood

        known = understood(loss)
    for name, value, choices in (
        ("measure", measure, get_args(MeasureKind)),
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
    max_samples = as_whole(max_samples, "max_samples")
    return Settings(
        eps=thresholds,
        relative=relative,
        measure=cast(MeasureKind, measure),
        quantities=cast(QuantityChoice, choice),
        loss=known,
        bias=cast(Bias, bias),
        forgetting=None if forgetting is None else float(forgetting),
        max_samples=max_samples,
        own=own_quantities,
        weigh=of_batch(*(own if callable(own) else None for own in (mask, weights))),
    )


def environment(plan: LayerPlan, settings: Settings, probe: ProbeSet | None) -> dict[str, Any]:
    """Return the metadata of a history as plain data."""
    # Of own quantities the names, and nothing without any: the files are those of before then.
    plain = {name: value for name, value in vars(settings).items() if name not in ("own", "weigh")}
    own = {"own_quantities": list(settings.own)} if settings.own else {}
    return {
        **plain,
        "loss": _named(settings.loss),
        "eps": list(settings.eps),
        **own,
        "samples": "training batches" if probe is None else "probe",
        "probe_samples": None if probe is None else probe.n_samples,
        "model": type(plan.model).__name__,
        **planned(plan),
        "versions": {
            name: package_version(name) or "unknown"
            for name in ("epsrank", "torch", "numpy", "scipy")
        },
    }


def planned(plan: LayerPlan) -> dict[str, Any]:
    """Return what metadata say of a plan, which may change."""
    described = plan.to_json()
    return {name: described[name] for name in ("layers", "skipped")}


def _named(loss: UserLoss | Mapping[str, UserLoss] | None) -> str | dict[str, str] | None:
    """Return the names of losses."""
    if isinstance(loss, Mapping):
        return {head: own.name for head, own in loss.items()}
    return None if loss is None else loss.name
