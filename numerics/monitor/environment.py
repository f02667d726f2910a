"""What is common to all rows of a history: settings, layers, versions."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from epsrank.numerics.monitor.plan import LayerPlan
from epsrank.numerics.monitor.probe_set import ProbeSet
from epsrank.numerics.monitor.settings import Settings


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
