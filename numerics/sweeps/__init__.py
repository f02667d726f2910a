"""Many runs: trials, each stored once under the hash of its content, on any number of cores."""

from typing import TYPE_CHECKING, Any

from epsrank.numerics.sweeps.execute import run_trials
from epsrank.numerics.sweeps.store import TrialStore
from epsrank.numerics.sweeps.trial import TRIAL_KINDS, Outcome, Trial
from epsrank.numerics.sweeps.worker import was_killed

if TYPE_CHECKING:
    from epsrank.numerics.sweeps.spec import Sweep

__all__ = ["TRIAL_KINDS", "Outcome", "Sweep", "Trial", "TrialStore", "run_trials", "was_killed"]


def __getattr__(name: str) -> Any:
    """Import what needs PyTorch when it is used: a worker starts in a tenth of the time without."""
    if name == "Sweep":
        from epsrank.numerics.sweeps.spec import Sweep

        return Sweep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
