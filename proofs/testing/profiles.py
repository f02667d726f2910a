"""Hypothesis profiles for searches of claims, registered by name."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings

# Exact arithmetic and networks take long to draw and to decide on some cases.
_COMMON: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
}

#: What each profile sets.
PROFILES: dict[str, dict[str, Any]] = {
    "epsrank-dev": {"max_examples": 25, **_COMMON},
    # The same cases at every run: a red run is then a red change.
    "epsrank-ci": {
        "max_examples": 40, "derandomize": True, "database": None, "print_blob": True, **_COMMON,
    },
    "epsrank-thorough": {"max_examples": 500, "phases": tuple(Phase), **_COMMON},
}  # fmt: skip


def register_profiles() -> tuple[str, ...]:
    """Register the Hypothesis profiles ``epsrank-dev``, ``epsrank-ci`` and ``epsrank-thorough``.

    They draw 25, 40 and 500 cases, have no deadline, and ``epsrank-ci`` draws the same cases at
    every run. Importing `epsrank.testing` registers them; ``settings.load_profile("epsrank-ci")``
    chooses one, and so does ``pytest --hypothesis-profile epsrank-ci`` where ``conftest.py`` has
    that import.

    Returns
    -------
    tuple of str
        Their names.
    """
    for name, chosen in PROFILES.items():
        settings.register_profile(name, **chosen)
    return tuple(PROFILES)
