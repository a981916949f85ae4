"""A telephone in a room: a participant of kind SIP, as a bridge makes one, stands for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIStatusError, LanguageCode, stt

from antiphon import AMD, Agent
from antiphon.beta.tools import send_dtmf_events
from antiphon.beta.workflows import GetDtmfTask
from antiphon.nodes import local
from antiphon.nodes.wav import read_wav
from antiphon.pipeline.errors import AntiphonError
from antiphon.simulate import ScriptedLLM, ScriptedTTS, calls
from antiphon.simulated_sound import voice
from tests.rooms.calling import SOUND, Caller
from tests.rooms.holding import call
from tests.rooms.singing import Singer, plain, song, sung
from tests.rooms.test_engines import CALLER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime

STILL = 0.3  # seconds of silence behind what was said
LINE = 8000  # samples a second: what a telephone line carries
RINGING = {"sip.callStatus": "ringing", "sip.phoneNumber": "+10000000000", "sip.callID": "1"}


async def speak_by_phone(caller: Caller, samples: NDArray[np.int16]) -> None:
    """Say what was recorded at 16 kHz over a line: at 8 kHz, from its own microphone."""
    mouth = rtc.AudioSource(LINE, 1, queue_size_ms=40)
    track = rtc.LocalAudioTrack.create_audio_track("line", mouth)
    source = rtc.TrackSource.SOURCE_MICROPHONE
    options = rtc.TrackPublishOptions(source=source)
    published = await caller.room.local_participant.publish_track(track, options)
    await published.wait_for_subscription()
    line = rtc.AudioResampler(16_000, LINE)
    frames = line.push(rtc.AudioFrame(samples.tobytes(), 16_000, 1, len(samples))) + line.flush()
    for frame in frames:
        await mouth.capture_frame(frame)
    await mouth.wait_for_playout()
    await mouth.aclose()


async def test_what_is_said_on_a_line_of_8_khz_is_understood(
    livekit_server: LiveKitServer, name: str
) -> None:
    try:
        ears = local.local_stt()
    except AntiphonError as error:
        pytest.skip(str(error))
    agent = Singer([song(2), song(2), song(2)], stt=ears)
    agent.stt_node = Agent.stt_node.__get__(agent)  # type: ignore[method-assign]
    async with call(livekit_server, name, agent, join=False) as held:
        await held.caller.join(kind="sip", attributes=RINGING, microphone=False)
        await speak_by_phone(held.caller, read_wav(CALLER).samples)
        await held.caller.until(lambda: len(held.history("user")) >= 2)
    hello, question, *_ = held.history("user")
    assert hello == "hello"
    assert question.startswith("what time is")


async def test_a_phone_is_listened_to_when_it_is_taken_and_greeted_when_a_human_speaks(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([]), join=False) as held:
        caller, session = held.caller, held.session
        async with AMD(session, llm=ScriptedLLM()) as amd:
            ring = np.concatenate([voice(0.6), np.zeros(16_000, np.int16)])
            greeting = session.say(song(4))
            await caller.join(kind="sip", attributes=RINGING)
            await session.room_io.wait_for_ready()
            await caller.speak(ring)  # early media: what another network plays meanwhile
            assert not amd.started

            await caller.room.local_participant.set_attributes({"sip.callStatus": "active"})
            await caller.until(lambda: amd.started)
            assert caller.sounding() == []
            await caller.speak(ring)
            result = await amd.execute()
            assert (result.category, result.reason) == ("human", "short_greeting")
            await caller.until(greeting.done)
    assert sung(caller.sound()) == plain(song(4))


class Hearing(stt.STT[Any]):
    """Understands one greeting in whatever sound there is, once it is over."""

    def __init__(self, greeting: str) -> None:
        capabilities = stt.STTCapabilities(streaming=True, interim_results=False)
        super().__init__(capabilities=capabilities)
        self.greeting = greeting
        self.open = 0

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise NotImplementedError

    def stream(self, **_: Any) -> stt.RecognizeStream:
        return Understanding(stt=self, conn_options=DEFAULT_API_CONNECT_OPTIONS)


class Understanding(stt.RecognizeStream):
    async def _run(self) -> None:
        hearing: Any = self._stt
        hearing.open += 1
        loud = still = 0
        try:
            async for frame in self._input_ch:
                if not isinstance(frame, rtc.AudioFrame):
                    continue
                if np.abs(np.frombuffer(frame.data, np.int16)).max() > SOUND:
                    loud, still = loud + frame.samples_per_channel, 0
                else:
                    still += frame.samples_per_channel
                if loud and still > frame.sample_rate * STILL:
                    said = stt.SpeechData(language=LanguageCode("en"), text=hearing.greeting)
                    final = stt.SpeechEventType.FINAL_TRANSCRIPT
                    self._event_ch.send_nowait(stt.SpeechEvent(final, alternatives=[said]))
                    loud = 0
        finally:
            hearing.open -= 1


async def test_a_recogniser_of_its_own_hears_who_has_answered(
    livekit_server: LiveKitServer, name: str
) -> None:
    judge = ScriptedLLM([calls("save_prediction", label="machine-vm")] * 3)
    ears = Hearing("You have reached Grace, leave a message")
    async with call(livekit_server, name, Singer([]), join=False) as held:
        async with AMD(held.session, llm=judge, stt=ears) as amd:
            await held.caller.join(kind="sip", attributes=RINGING | {"sip.callStatus": "active"})
            await held.caller.until(lambda: amd.started and ears.open)
            silence = np.zeros(16_000, np.int16)
            await held.caller.speak(np.concatenate([voice(3.0), silence, silence, silence]))
            result = await amd.execute()
        assert (result.category, result.reason) == ("machine-vm", "llm")
        assert result.transcript == "You have reached Grace, leave a message"
        assert held.history("user") == []  # the session's own ears have understood nothing
        await held.caller.until(lambda: not ears.open)


class Deaf(Hearing):
    """Is refused by whoever serves it."""

    def stream(self, **_: Any) -> stt.RecognizeStream:
        return Refused(stt=self, conn_options=DEFAULT_API_CONNECT_OPTIONS)


class Refused(stt.RecognizeStream):
    async def _run(self) -> None:
        raise APIStatusError("no such key", status_code=401)


async def test_where_its_own_recogniser_fails_the_sessions_hears_who_has_answered(
    livekit_server: LiveKitServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    judge, agent = ScriptedLLM([calls("save_prediction", label="machine-vm")] * 3), Singer([])
    async with call(livekit_server, name, agent, join=False) as held:
        async with AMD(held.session, llm=judge, stt=Deaf("")) as amd:
            await held.caller.join(kind="sip", attributes=RINGING | {"sip.callStatus": "active"})
            await held.caller.until(lambda: "recogniser of AMD failed" in caplog.text)
            agent.words.put_nowait("You have reached Grace, leave a message")
            result = await amd.execute()
        assert (result.category, result.reason) == ("machine-vm", "llm")


async def test_a_phone_that_hangs_up_before_it_is_taken_leaves_nobody_waiting(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([]), join=False) as held:
        async with AMD(held.session, llm=ScriptedLLM()) as amd:
            await held.caller.join(kind="sip", attributes=RINGING)
            await held.session.room_io.wait_for_ready()
            await held.caller.room.disconnect()
            result = await amd.execute()
        assert (result.category, result.reason) == ("uncertain", "participant_missing")


async def test_a_model_presses_keys_for_the_other_side(
    livekit_server: LiveKitServer, name: str
) -> None:
    keys: list[tuple[int, str]] = []
    model = ScriptedLLM([calls("send_dtmf_events", events=["4", "2", "#"]), "Done."])
    agent: Any = Singer([], llm=model, tools=[send_dtmf_events])
    agent.llm_node = Agent.llm_node.__get__(agent)
    async with call(livekit_server, name, agent, join=False, tts=None) as held:
        room = held.caller.room
        room.on("sip_dtmf_received", lambda event: keys.append((event.code, event.digit)))
        await held.caller.join(kind="sip", attributes=RINGING)
        await held.session.room_io.wait_for_ready()
        await held.caller.write("press my extension")
        await held.caller.until(lambda: len(keys) == 3)
    assert keys == [(4, "4"), (2, "2"), (11, "#")]


class Asking(Agent):
    """Wants two digits."""

    def __init__(self) -> None:
        super().__init__(instructions="")
        self.came: list[str] = []

    async def on_enter(self) -> None:
        self.came.append((await GetDtmfTask(num_digits=2)).user_input)


async def test_only_the_callers_keys_count_and_only_keys(
    livekit_server: LiveKitServer, name: str
) -> None:
    agent, models = Asking(), {"llm": ScriptedLLM(["Which?"]), "tts": ScriptedTTS()}
    other = Caller(livekit_server, name, "another")
    async with call(livekit_server, name, agent, join=False, **models) as held, other:
        await held.caller.join(kind="sip")
        await held.session.room_io.wait_for_ready()
        await other.join(microphone=False)
        seen = held.session.room_io.room.remote_participants
        await held.caller.until(
            lambda: held.history("assistant") == ["Which?"] and "another" in seen
        )
        for who, digits in ((other, "13"), (held.caller, "x4"), (other, "#"), (held.caller, "2#")):
            for digit in digits:
                await who.room.local_participant.publish_dtmf(code=1, digit=digit)
            await who.room.local_participant.set_attributes({"pressed": digits})
            await held.caller.until(
                lambda: seen[who.identity].attributes.get("pressed") == digits  # noqa: B023
            )
        await held.caller.until(lambda: agent.came)
    assert agent.came == ["4 2"]
