"""LiveKit's `inference`, by this package's name; its LLM says what it does not pass on."""

from livekit.agents.inference import *  # noqa: F403

from antiphon.nodes.inference_llm import LLM as LLM
