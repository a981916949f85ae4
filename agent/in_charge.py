"""What the session asks of an agent that is in charge."""

from __future__ import annotations


class InCharge:
    """While one that is `confidential` is in charge, no number is recorded or told of."""

    _confidential = False

    @property
    def _answers_user(self) -> bool:
        """Whether it answers the user; turns wait for the next in charge while it does not."""
        return True

    def _entering_failed(self, error: Exception) -> bool:
        """Called by the session when `on_enter` raises; True where somebody else is told of it."""
        return False
