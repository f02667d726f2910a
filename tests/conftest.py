"""Hypothesis profiles, one thread per test process, and one name of the package.

``HYPOTHESIS_PROFILE`` chooses: ``dev`` (default), ``ci`` (derandomised, so that a red run is a red
change) or ``thorough`` (long). The profile also sets how many cases each property searches.
"""

from __future__ import annotations

import os
import runpy
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

# Here and, by PYTHONPATH, in all processes that tests start: see the file.
_ONE_NAME = Path(__file__).with_name("one_name")
runpy.run_path(str(_ONE_NAME / "sitecustomize.py"))
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(_ONE_NAME), *filter(None, [os.environ.get("PYTHONPATH")])]
)

# A shell starts what runs in the background with Ctrl-C ignored, and children would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What a terminal would say: readline sets it in one process, and pytest's workers inherit it.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)

# Before NumPy is imported: one thread each, so that parallel test processes do not fight for cores.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("dev", max_examples=25, deadline=None, suppress_health_check=_SLOW)
settings.register_profile(
    "ci",
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=_SLOW,
)
settings.register_profile(
    "thorough",
    max_examples=500,
    deadline=None,
    phases=tuple(Phase),
    suppress_health_check=_SLOW,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session", autouse=True)
def _nobody_cuts_the_power() -> Iterator[None]:
    """Files are renamed into place as ever, and nothing waits for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        yield


@pytest.fixture
def sketches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures that do not arrange their axes, and coarse files.

    Arranging takes two thirds of the time of a figure. For tests of what figures show, and that
    they can be drawn and written; those of tests/numerics/plots look at where labels go.
    """
    from matplotlib.figure import Figure

    from epsrank.numerics.plots import style

    class Sketch(Figure):
        def __init__(self, *, layout: str, **given: Any) -> None:
            super().__init__(**given)

        def savefig(self, *given: Any, **more: Any) -> None:
            super().savefig(*given, **more | {"dpi": 80})

    monkeypatch.setattr(style, "Figure", Sketch)
