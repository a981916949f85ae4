"""Groups of tasks, by LiveKit's module path."""

from antiphon.workflows import TaskCompletedEvent, TaskGroup, TaskGroupResult

__all__ = ["TaskCompletedEvent", "TaskGroup", "TaskGroupResult"]
