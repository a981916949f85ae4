"""Benchmarks: this runtime, LiveKit's own session, and LiveKit's base classes wired by hand."""
