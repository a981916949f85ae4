"""`download-files`: what a program's plugins need beside themselves, fetched before it is run.

A plugin registers itself where it is imported, and knows which models it wants: those of detectors
and of turn taking are of hundreds of megabytes, and belong into an image and not into a call.
"""

from __future__ import annotations

import sys

from livekit.agents import Plugin

from antiphon.pipeline.errors import UsageError


def fetch() -> None:
    """Have each plugin that is imported by now fetch its files; UsageError names one that fails."""
    for plugin in Plugin.registered_plugins:
        print(f"{plugin.package}: files …", file=sys.stderr)  # noqa: T201
        try:
            plugin.download_files()
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise UsageError(f"the files of {plugin.package} cannot be had: {why}") from error
