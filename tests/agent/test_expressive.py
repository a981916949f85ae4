"""Expressive speech: the model writes markers for the voice; nobody hears or reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc
from livekit.agents import tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

from antiphon import Agent, AgentSession
from antiphon.beta import Instructions
from antiphon.expressive import GUIDE
from antiphon.nodes.markers import Lowering, visible
from antiphon.simulate import ScriptedLLM, ScriptedTTS, does, interrupts, pauses, says, simulate
from antiphon.simulated_models import RATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from antiphon.simulate import Call

GLAD = '<expr type="expression" label="really glad, at last."/>'
SLOW = '<expr type="prosody" label="slow">'
LAUGH = '<expr type="sound" label="laugh"/>'
HELLO = (
    f"{GLAD} Hello there. {SLOW}One, two, three, four, five, six, seven.</expr> Bye now! {LAUGH}"
)
READ = "Hello there. One, two, three, four, five, six, seven. Bye now!"


class Actress(ScriptedTTS):
    """A voice with markers of its own; `given` is what she was given to say."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.given: list[str] = []

    class Markup(tts.TTS.Markup):
        def llm_instructions(self, *, speech_steering: Any = None) -> str | None:
            return f"Markers: expression, prosody, sound. {(speech_steering or {}).get('pace', '')}"

        def normalize(self, text: str) -> str:
            return text

        def convert(self, text: str) -> str:
            for marker, own in ((GLAD, "{glad}"), (SLOW, "{slow}"), (LAUGH, "{laugh}")):
                text = text.replace(marker, own)
            return text.replace("</expr>", "{end}")

    def synthesize(self, text: str, **options: Any) -> tts.ChunkedStream:
        self.given.append(text)
        plain = re.sub(r"{\w+}", "", text)
        if not plain.strip():
            return _Laughing(tts=self, input_text=text, conn_options=options["conn_options"])
        return super().synthesize(plain, **options)

    @property
    def said(self) -> str:
        """All of it, with what goes on over two texts as one."""
        return " ".join(re.sub(r"{end}(\s*){slow}", r"\1", " ".join(self.given)).split())


class _Laughing(tts.ChunkedStream):
    """A sound without words."""

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="laugh", sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
        )
        output_emitter.push(bytes(2 * 300))


class Plain(Agent):
    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="Be brief.", **options)


def talk(*replies: str, agent: Agent | None = None, **options: Any) -> tuple[Call, Actress]:
    voice = options.pop("tts", None) or Actress()
    script = [act for n in range(len(replies)) for act in (says(f"hello {n}"), pauses(1))]
    options = {"expressive": True, "llm": ScriptedLLM(replies), **options}
    return simulate(agent or Plain(), script, tts=voice, **options), voice


def answers(call: Call) -> list[str]:
    return [m.raw_text_content or "" for m in call.messages if m.role == "assistant"]


def guides(model: ScriptedLLM) -> list[list[str]]:
    """The guides in each request."""
    return [
        [m.text_content or "" for m in asked.messages() if m.id == GUIDE] for asked in model.asked
    ]


def test_a_marker_reaches_the_voice_as_its_own_and_is_neither_heard_nor_read() -> None:
    call, voice = talk(HELLO)
    assert call.said("agent") == [READ]
    told = HELLO.replace(GLAD, "{glad}").replace(SLOW, "{slow}").replace(LAUGH, "{laugh}")
    assert voice.said == told.replace("</expr>", "{end}")


def test_history_has_the_markers_so_that_the_model_goes_on_writing_them() -> None:
    model = ScriptedLLM([HELLO, "Yes."])
    call, _ = talk(HELLO, "Yes.", llm=model)
    assert answers(call) == [HELLO, "Yes."]
    assert HELLO in [m.raw_text_content for m in model.asked[-1].messages()]


def test_of_a_reply_that_is_cut_history_has_the_markers_of_what_was_heard() -> None:
    script = [says("hello"), interrupts("stop that now please", word="three")]
    options: dict[str, Any] = {"llm": [HELLO, "Sorry."], "tts": Actress(), "expressive": True}
    call = simulate(Plain(), script, **options)
    assert call.said("agent")[0] == visible(answers(call)[0])
    assert answers(call)[0] == f"{GLAD} Hello there. {SLOW}One, two, three,"


def test_what_goes_on_over_two_chunks_is_begun_again_in_the_second() -> None:
    words = ", ".join(["one two three four five six seven eight nine ten"] * 4)
    _, voice = talk(f"{SLOW}Well. {words}.</expr> Good.")
    slow = [text for text in voice.given if "{slow}" in text]
    assert len(slow) > 1
    assert all(text.count("{slow}") == text.count("{end}") == 1 for text in slow)
    assert all(text.startswith("{slow}") for text in slow)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_marker_that_comes_in_pieces_is_one(cut: int) -> None:
    class Dribbling(Plain):
        async def llm_node(self, *_: Any) -> Any:
            for at in range(0, len(HELLO), cut):
                yield HELLO[at : at + cut]

    call, voice = talk("", agent=Dribbling())
    assert (call.said("agent"), answers(call)) == ([READ], [HELLO])
    assert "expr" not in " ".join(voice.given)


def test_the_model_is_told_once_which_markers_the_voice_knows() -> None:
    model = ScriptedLLM([HELLO, "Yes."])
    talk(HELLO, "Yes.", llm=model)
    assert [len(found) for found in guides(model)] == [1] * len(model.asked)
    first, second = model.asked[0].items[:2]
    assert (first.id, second.id) == ("lk.agent_task.instructions", GUIDE)
    assert "Markers: expression" in guides(model)[0][0]


def test_an_answer_that_was_prepared_with_the_guide_is_the_one_that_is_given() -> None:
    model = ScriptedLLM([HELLO])
    talk(HELLO, llm=model)
    assert len(model.asked) == 1


def test_steering_and_rules_of_ones_own_are_in_the_guide() -> None:
    model = ScriptedLLM(["Yes."])
    steering = {"pace": "slow", "disfluencies": False, "nonverbal_sounds": {"laughing": False}}
    asked: dict[str, Any] = {
        "speech_steering": steering,
        "tts_instructions_template": Instructions("Do: {tts.markup.llm_instructions}"),
        "tts_instructions_append": "Never shout.",
    }
    talk("Yes.", llm=model, expressive=asked)
    [[guide], *_] = guides(model)
    assert guide.startswith("Do: Markers: expression, prosody, sound. slow")
    assert "no fillers" in guide
    assert "No laughing." in guide
    assert "slow pace" in guide
    assert guide.endswith("Never shout.")


def test_an_agents_own_setting_holds_over_the_sessions() -> None:
    model = ScriptedLLM(["Yes."])
    talk("Yes.", llm=model, agent=Plain(expressive=False))
    assert guides(model) == [[]] * len(model.asked)


def test_a_model_that_is_to_speak_plainly_again_sees_no_markers_to_imitate() -> None:
    model = ScriptedLLM([HELLO, "Yes."])
    script = [
        *(says("hello"), pauses(2)),
        *(does(lambda call: call.session.update_options(expressive=False)), says("and now")),
    ]
    simulate(Plain(), script, llm=model, tts=Actress(), expressive=True)
    assert guides(model)[-1] == []
    assert READ in [m.raw_text_content for m in model.asked[-1].messages()]


def test_a_node_of_ones_own_gets_the_markers_as_the_model_wrote_them() -> None:
    seen: list[str] = []

    class Own(Plain):
        async def tts_node(self, text: AsyncIterable[str], model_settings: Any) -> Any:
            async def noted() -> Any:
                async for chunk in text:
                    seen.append(chunk)
                    yield chunk

            async for frame in Agent.default.tts_node(self, noted(), model_settings):
                yield frame

        async def transcription_node(self, text: AsyncIterable[str], model_settings: Any) -> Any:
            async for chunk in text:
                yield chunk.replace("there", "dear")

    call, voice = talk(HELLO, agent=Own())
    assert "".join(seen).replace("</expr>", "").startswith(f"{GLAD} Hello there. {SLOW}One,")
    assert "expr" not in " ".join(voice.given)
    assert call.said("agent") == [READ.replace("there", "dear")]
    assert answers(call) == [HELLO.replace("there", "dear")]


def test_a_transform_of_ones_own_sees_the_markers_too() -> None:
    async def gladder(text: AsyncIterable[str]) -> AsyncIterator[str]:
        async for chunk in text:
            yield chunk.replace(LAUGH, GLAD).replace("now", "then")

    call, voice = talk(f"Bye now, {LAUGH} Ada.", tts_text_transforms=[gladder])
    assert voice.said == "Bye then, {glad} Ada."
    assert call.said("agent") == ["Bye now, Ada."]


def test_what_the_application_says_may_have_markers_too() -> None:
    voice = Actress()
    script = [does(lambda call: call.session.say(f"{GLAD} Hello there.")), pauses(3)]
    call = simulate(Plain(), script, tts=voice, expressive=True)
    assert call.said("agent") == ["Hello there."]
    assert voice.given == ["{glad} Hello there."]


def test_without_expressive_nothing_is_taken_for_a_marker() -> None:
    call, voice = talk("Is three < five? <emotion> is a tag.", expressive=False)
    assert call.said("agent") == ["Is three < five? <emotion> is a tag."]
    assert "<emotion>" in " ".join(voice.given)


async def test_a_voice_without_markers_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    voice = ScriptedTTS()
    session: AgentSession[Any] = AgentSession(vad=None, tts=voice, expressive=True)
    await session.start(Plain())
    session.update_options()
    await session.aclose()
    told = [r.getMessage() for r in caplog.records if "expressive" in r.getMessage()]
    assert told == [f"expressive= has no effect: {voice.label} knows no markers"]


def test_what_a_voice_times_of_its_own_markers_is_no_word() -> None:
    told = Lowering(Actress().markup)
    frame = rtc.AudioFrame(bytes(2), RATE, 1, 1)
    for word in ("[really", "glad,", "at", "last]", "Hello", "<break/>", "there.", "[sigh]"):
        frame.userdata.setdefault(USERDATA_TIMED_TRANSCRIPT, []).append(TimedString(word))
    told.leave_out(frame)
    assert frame.userdata[USERDATA_TIMED_TRANSCRIPT] == ["Hello", "there."]
