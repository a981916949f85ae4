"""LiveKit's tracing, to which its model classes report."""

from livekit.agents.telemetry import (
    gen_ai,
    loop_monitor,
    metrics,
    otel_metrics,
    set_tracer_provider,
    trace_types,
    tracer,
    utils,
)

__all__ = [
    "gen_ai",
    "loop_monitor",
    "metrics",
    "otel_metrics",
    "set_tracer_provider",
    "trace_types",
    "tracer",
    "utils",
]
