"""Tasks: what is learned, where, and in which measure."""

from epsrank.numerics.tasks.load import TASKS, load_task
from epsrank.numerics.tasks.task import Task

__all__ = ["TASKS", "Task", "load_task"]
