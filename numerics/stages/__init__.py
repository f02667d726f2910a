"""One axis: every quantity of a training beside the others, and in which order they change.

`kinds` says which columns are read as what, `reading` makes a `RunAxis` of whatever holds a
training, `passages` has the moments that are looked for, `order` their order over runs.
"""

from epsrank.numerics.stages.entry import training_stages
from epsrank.numerics.stages.result import Stages

__all__ = ["Stages", "training_stages"]
