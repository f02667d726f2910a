"""Many networks of one shape, trained as one batched program."""

from epsrank.numerics.ensemble.grouping import Grouping, group_configs
from epsrank.numerics.ensemble.loop import train_in_groups, train_many

__all__ = ["Grouping", "group_configs", "train_in_groups", "train_many"]
