"""Sounds behind the voices, where there is no room to play them into."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.programs import Programs


def test_a_program_with_background_sounds_runs_at_a_console_without_them(
    programs: Programs,
) -> None:
    body = """
    from antiphon import AudioConfig, BackgroundAudioPlayer, BuiltinAudioClip
    session = AgentSession()
    await session.start(Echo(), room=ctx.room)
    player = BackgroundAudioPlayer(
        ambient_sound=AudioConfig(BuiltinAudioClip.OFFICE_AMBIENCE, volume=0.5),
        thinking_sound=AudioConfig(BuiltinAudioClip.KEYBOARD_TYPING, volume=0.5),
    )
    await player.start(room=ctx.room, agent_session=session)
    print("playing", player.publication.name)
    await player.aclose()
    print("closed")
    """
    ran = programs.console(programs.entry(body), "--text")
    assert ran.status == 0, ran.err
    assert "playing background_audio\nclosed\n" in ran.out
    assert "nobody hears" in ran.err
