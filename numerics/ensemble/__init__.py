"""Many networks of one shape, trained as one batched program."""

from numerics.ensemble.grouping import Grouping, group_configs
from numerics.ensemble.loop import train_in_groups, train_many

__all__ = ["Grouping", "group_configs", "train_in_groups", "train_many"]
