"""A call at a console, on the virtual clock: who speaks, what is written, and how it ends."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from antiphon.nodes.wav import read_wav

if TYPE_CHECKING:
    from tests.programs import Programs

CALLERS = Path(__file__).parents[2] / "samples" / "callers"
HELLO = CALLERS / "hello.wav"
INTERRUPTS = CALLERS / "interrupts.wav"

LOCAL = 'AgentSession(stt="local/", llm="local/", tts="local/")'
TALK = f"""
session = {LOCAL}
await session.start(Agent(instructions="You are Ada."), room=ctx.room)
"""
ECHO = "await AgentSession().start(Echo())"


def test_each_line_of_text_is_answered(programs: Programs) -> None:
    ran = programs.console(programs.entry(ECHO), "--text", "--fast", stdin="one\n\ntwo\n")

    assert ran.status == 0
    said = [(line["speaker"], line["text"]) for line in ran.transcript]
    assert said == [
        ("user", "one"),
        ("agent", "You said one."),
        ("user", "two"),
        ("agent", "You said two."),
    ]
    assert "agent  You said two." in ran.out
    assert not (ran.folder / "conversation.wav").exists()
    assert ran.err == ""


def test_text_is_read_in_real_time_as_well(programs: Programs) -> None:
    ran = programs.console(programs.entry(ECHO), "--text", stdin="one\ntwo")
    assert [line["text"] for line in ran.transcript][1::2] == ["You said one.", "You said two."]


def test_a_greeting_is_finished_before_the_first_line_of_a_script(programs: Programs) -> None:
    greets = "session = AgentSession()\nawait session.start(Echo())\nsession.say('Welcome here.')"
    ran = programs.console(programs.entry(greets), "--text", "--fast", stdin="one\n")
    assert [line["text"] for line in ran.transcript] == ["Welcome here.", "one", "You said one."]


def test_a_recorded_caller_lets_a_greeting_be_heard(programs: Programs) -> None:
    ran = programs.console(programs.entry(f"{TALK}session.say('Hello, this is Ada.')"), "--fast")
    assert ran.transcript[0]["text"] == "Hello, this is Ada."
    assert not ran.transcript[0]["interrupted"]


def test_the_record_is_placed_by_time_on_two_channels(programs: Programs) -> None:
    ran = programs.console(programs.entry(TALK), "--wav", INTERRUPTS, "--fast")

    with wave.open(str(ran.folder / "conversation.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 16000)
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    spoken = read_wav(INTERRUPTS).samples
    assert np.array_equal(both[: len(spoken), 0], spoken)
    # The caller's second voice begins at 8.4 s; a quarter of a second later the agent is silent.
    answer = min(float(str(line["start"])) for line in ran.transcript[3:])
    assert both[int(5.2 * 16000) : int(8.4 * 16000), 1].any()
    assert not both[int(8.65 * 16000) : int(answer * 16000), 1].any()
    assert both[int(answer * 16000) :, 1].any()


def test_a_turn_explains_its_delay_and_a_barge_in_its_stopping_time(programs: Programs) -> None:
    ran = programs.console(programs.entry(TALK), "--wav", INTERRUPTS, "--fast")

    for record in ran.kinds("delay"):
        parts = record["parts"]
        assert isinstance(parts, dict)
        assert round(sum(parts.values()), 6) == record["total"]
        assert f"answered after {record['total']:.3f} s = " in ran.out
    (stopped,) = ran.kinds("stopped")
    assert f"silent {stopped['voice']:.2f} s after the user's voice began" in ran.out
    assert "[interrupted]\n" in ran.out
    assert "the record is in" in ran.out.splitlines()[-1]


def test_the_timeline_numbers_a_turn_wherever_it_is_told_of(programs: Programs) -> None:
    ran = programs.console(programs.entry(TALK), "--wav", HELLO, "--fast")
    assert [record["turn"] for record in ran.kinds("commit")] == [1, 2, 3]
    told = [(record["role"], record["turn"]) for record in ran.kinds("message")]
    assert told == [(who, turn) for turn in (1, 2, 3) for who in ("user", "assistant")]


def test_built_in_engines_say_how_good_they_are(programs: Programs) -> None:
    out = programs.console(programs.entry(TALK), "--wav", HELLO, "--fast").out
    for engine in ("webrtcvad", "pocketsphinx", "brain"):
        assert f"with   {engine}: " in out


def test_the_same_call_gives_the_same_record(programs: Programs) -> None:
    def timeline() -> bytes:
        ran = programs.console(programs.entry(ECHO), "--text", "--fast", stdin="one\ntwo\n")
        return (ran.folder / "timeline.jsonl").read_bytes()

    assert timeline() == timeline()


def test_the_next_recording_waits_until_the_agent_is_quiet(programs: Programs) -> None:
    ran = programs.console(programs.entry(TALK), "--wav", HELLO, "--wav", INTERRUPTS, "--fast")

    users = [line for line in ran.transcript if line["speaker"] == "user"]
    agents = [line for line in ran.transcript if line["speaker"] == "agent"]
    goodbye = next(line for line in agents if "oodbye" in str(line["text"]))
    story = next(line for line in users if "story" in str(line["text"]))
    assert float(str(story["start"])) >= float(str(goodbye["end"])) + 2.0


def test_local_looks_at_no_name_and_needs_no_key(programs: Programs) -> None:
    named = """
    session = AgentSession(
        stt="deepgram/nova-3", llm="openai/gpt-4.1-mini", tts="cartesia/sonic", vad="any/thing"
    )
    await session.start(Agent(instructions="", llm="nonsense"), room=ctx.room)
    """
    ran = programs.console(programs.entry(named), "--wav", HELLO, "--fast", "--local")
    assert ran.status == 0
    assert "hello" in str(ran.transcript[0]["text"])
    assert ran.transcript[1]["speaker"] == "agent"


def test_local_leaves_nodes_that_are_overridden(programs: Programs) -> None:
    named = 'await AgentSession(llm="openai/gpt-4.1-mini").start(Echo())'
    ran = programs.console(programs.entry(named), "--text", "--fast", "--local", stdin="one\n")
    assert ran.transcript[1]["text"] == "You said one."


def test_a_program_that_shuts_the_job_down_ends_the_call(programs: Programs) -> None:
    body = """
    async def left(reason):
        print("callback:", reason)
    ctx.add_shutdown_callback(left)
    await AgentSession().start(Echo())
    ctx.shutdown("enough")
    """
    ran = programs.console(programs.entry(body), "--text", "--fast")
    assert ran.status == 0
    assert "callback: enough" in ran.out
    assert ran.kinds("session_closed")


def test_a_job_at_a_console_has_a_room_with_one_caller(programs: Programs) -> None:
    body = """
    def job(proc):
        proc.userdata["model"] = "warm"
    async def met(ctx, participant):
        print("met", participant.identity)
    ctx.add_participant_entrypoint(met)
    await ctx.connect()
    caller = await ctx.wait_for_participant()
    assert get_job_context() is ctx
    assert list(ctx.room.remote_participants.values()) == [caller]
    assert ctx.room.isconnected() and ctx.is_fake_job()
    await ctx.room.local_participant.set_attributes({"a": "b"})
    print(caller.identity, ctx.room.name, await ctx.room.sid, ctx.local_participant_identity)
    print(ctx.room.local_participant.attributes, ctx.proc.userdata)
    await AgentSession().start(Echo(), room=ctx.room)
    """
    program = programs.entry(body)
    text = program.read_text()
    text += (
        "\n\ndef warm(proc):\n    proc.userdata['model'] = 'warm'\n\n\nserver.setup_fnc = warm\n"
    )
    program.write_text(text)

    ran = programs.console(program, "--text", "--fast")
    assert (ran.status, ran.err) == (0, "")
    assert "caller console RM_console agent\n{'a': 'b'} {'model': 'warm'}\n" in ran.out
    assert "met caller" in ran.out


def test_plugins_find_the_jobs_http_session(programs: Programs) -> None:
    body = """
    from livekit.agents.utils import http_context
    print("closed", http_context.http_session().closed)
    await AgentSession().start(Echo())
    """
    ran = programs.console(programs.entry(body), "--text", stdin="one\n")
    assert (ran.status, ran.err) == (0, "")
    assert "closed False" in ran.out


def test_control_c_writes_everything_and_ends_with_130(programs: Programs) -> None:
    body = """
    class Stops(Agent):
        async def llm_node(self, chat_ctx, tools, model_settings):
            yield "One. "
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(1000)
        async def on_exit(self):
            await asyncio.sleep(1000)
    await AgentSession().start(Stops(instructions=""))
    """
    ran = programs.console(programs.entry(body), "--text", "--fast", stdin="go on\nnever\n")
    assert ran.status == 130
    assert [line["text"] for line in ran.transcript] == ["go on", "One."]
    assert ran.transcript[1]["interrupted"]
    assert "Traceback" not in ran.err


def test_what_a_program_leaves_running_does_not_hold_the_end(programs: Programs) -> None:
    body = """
    async def deaf():
        while True:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                pass
    ctx.deaf = asyncio.create_task(deaf(), name="deaf")
    await AgentSession().start(Echo())
    await asyncio.Event().wait()
    """
    ran = programs.console(programs.entry(body), "--text", "--fast", stdin="one\n")
    assert ran.status == 0
    assert "deaf would not stop when it was cancelled" in ran.err


def test_a_second_session_keeps_its_own_input_and_output(programs: Programs) -> None:
    body = """
    await AgentSession().start(Echo())
    other = AgentSession()
    await other.start(Echo())
    print("other", other.input.audio, other.output.transcription)
    """
    ran = programs.console(programs.entry(body), "--text", "--fast", stdin="one\n")
    assert "other None None" in ran.out
    assert ran.transcript[1]["text"] == "You said one."


def test_without_a_caller_a_recorded_one_is_named(programs: Programs) -> None:
    ran = programs.console(programs.entry(TALK), "--fast")
    assert "hello.wav calls" in ran.out.splitlines()[0]
    assert ran.status == 0


COUNTING = """
import gc
from antiphon import Agent, AgentServer, AgentSession, cli

server = AgentServer()


@server.rtc_session()
async def entry(ctx):
    print("left to look at:", len(gc.get_objects()))
    session = AgentSession(llm="local/brain")
    await session.start(Agent(instructions=""), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
"""


@pytest.mark.parametrize("command", [["-m", "antiphon", "console", "FILE"], ["FILE", "console"]])
def test_a_program_runs_by_either_command(command: list[str], tmp_path: Path) -> None:
    sample = str(Path(__file__).parents[2] / "samples" / "override_llm_node.py")
    words = [sample if word == "FILE" else word for word in command]
    ran = subprocess.run(
        [sys.executable, *words, "--text", "--fast", "--out", str(tmp_path)],
        input="hello there\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "agent  You said: hi there" in ran.stdout


def test_no_call_is_paused_to_look_for_garbage_in_what_was_loaded_before(tmp_path: Path) -> None:
    program = tmp_path / "counting.py"
    program.write_text(COUNTING)
    ran = subprocess.run(
        [sys.executable, str(program), "console", "--text", "--fast"],
        input="hello\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    left = int(ran.stdout.partition("left to look at: ")[2].split()[0])
    assert left < 50_000, "LiveKit's modules alone are 200,000"
