"""Agents, by LiveKit's module path."""

from livekit.agents.voice import ModelSettings

from antiphon.agent import Agent
from antiphon.task import AgentTask

__all__ = ["Agent", "AgentTask", "ModelSettings"]
