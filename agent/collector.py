"""Python's collector of garbage, which stops a process to look at all that was ever loaded."""

from __future__ import annotations

import functools
import gc


@functools.cache
def pass_over_what_is_loaded() -> None:
    """Look no more at what this process has loaded; once, for what came later may be garbage.

    The modules of a program are a quarter of a million objects: a look at them all pauses its
    calls for a tenth of a second and more, now and then, and finds nothing.
    """
    gc.freeze()
