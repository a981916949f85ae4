"""Whether a language model does in a call what it must: a suite for whoever writes one.

    antiphon conformance my_module:make_llm
    antiphon conformance                      # the models of the documentation that are installed

Each check is a spoken call through `AgentSession`, in which the model asks a server on loopback
over real sockets: what it says is heard while it still speaks, tools are called, a barge-in closes
its connection, what it used is counted, and whatever the server does wrong is one clear event after
which the call goes on. Time is counted and not waited for.

`make_llm(url)` is given the server's address ("http://127.0.0.1:PORT") and returns an
`livekit.agents.llm.LLM` that asks there, with the key "secret-key". The server speaks OpenAI's chat
completions at /v1/chat/completions and is as strict as OpenAI; `--speaks` chooses another protocol
(see `SPEAKS`). A model with a protocol of its own is named as a `Provider`, with a `Speaks` that
reads its requests and writes its answers (`antiphon.conformance.chat.Chat` is one to read):

    my_model = Provider("mine", make_llm, MyProtocol)    # antiphon conformance my_module:my_model

`make_llm()` without an argument is a model that answers by itself, in this process or somewhere in
the network: it is held to what can be seen of it from outside (see `BY_ITSELF`), in real time.

In tests, `await tried(provider, check)` on a `LoopbackLoop`, for each of `CHECKS`.
"""

from antiphon.conformance.alone import BY_ITSELF
from antiphon.conformance.checks import Check
from antiphon.conformance.loop import LoopbackLoop
from antiphon.conformance.own import SPEAKS, own
from antiphon.conformance.provider import KEY, Made, NotInstalled, Provider
from antiphon.conformance.providers import PROVIDERS, named
from antiphon.conformance.suite import CHECKS, Result, conform, tried
from antiphon.conformance.talking import Failed, Talk, talking
from antiphon.conformance.wire import Asked, Refused, Reply, Request, Server, Speaks, Used, serving

__all__ = [
    "BY_ITSELF",
    "CHECKS",
    "KEY",
    "PROVIDERS",
    "SPEAKS",
    "Asked",
    "Check",
    "Failed",
    "LoopbackLoop",
    "Made",
    "NotInstalled",
    "Provider",
    "Refused",
    "Reply",
    "Request",
    "Result",
    "Server",
    "Speaks",
    "Talk",
    "Used",
    "conform",
    "named",
    "own",
    "serving",
    "talking",
    "tried",
]
