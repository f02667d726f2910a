"""Tasks: what is learned, where, and in which measure."""

from numerics.tasks.load import TASKS, load_task
from numerics.tasks.task import Task

__all__ = ["TASKS", "Task", "load_task"]
