"""Many runs: trials, each stored once under the hash of its content, on any number of cores."""

from epsrank.numerics.sweeps.execute import run_trials
from epsrank.numerics.sweeps.spec import Sweep
from epsrank.numerics.sweeps.store import TrialStore
from epsrank.numerics.sweeps.trial import TRIAL_KINDS, Outcome, Trial
from epsrank.numerics.sweeps.worker import was_killed

__all__ = ["TRIAL_KINDS", "Outcome", "Sweep", "Trial", "TrialStore", "run_trials", "was_killed"]
