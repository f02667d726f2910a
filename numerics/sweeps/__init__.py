"""Many runs: trials, each stored once under the hash of its content, on any number of cores."""

from numerics.sweeps.execute import run_trials
from numerics.sweeps.spec import Sweep
from numerics.sweeps.store import TrialStore
from numerics.sweeps.trial import TRIAL_KINDS, Outcome, Trial
from numerics.sweeps.worker import was_killed

__all__ = ["TRIAL_KINDS", "Outcome", "Sweep", "Trial", "TrialStore", "run_trials", "was_killed"]
