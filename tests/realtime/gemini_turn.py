"""One turn of Gemini's Live API: its messages in their order, at the pace of its script."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from tests.realtime.script import Answer, Made
from tests.realtime.sound import OUT_RATE, Samples

if TYPE_CHECKING:
    from tests.realtime.gemini_wire import Session

PIECE: Final = 0.1  # seconds of audio in one message
USAGE: Final = {
    "prompt_token_count": 120,
    "response_token_count": 50,
    "total_token_count": 170,
    "prompt_tokens_details": [
        {"modality": "TEXT", "token_count": 30},
        {"modality": "AUDIO", "token_count": 90},
    ],
    "response_tokens_details": [
        {"modality": "TEXT", "token_count": 12},
        {"modality": "AUDIO", "token_count": 38},
    ],
    "cached_content_token_count": 40,
    "cache_tokens_details": [
        {"modality": "TEXT", "token_count": 10},
        {"modality": "AUDIO", "token_count": 30},
    ],
}


class Turn:
    """Mutable state: what was sent of it."""

    def __init__(self, session: Session, heard: str) -> None:
        self.session = session
        self._heard = heard
        self._audio = "AUDIO" in session.connection.config["generationConfig"].get(
            "responseModalities", ["AUDIO"]
        )
        self._task: asyncio.Task[None] | None = None
        now = asyncio.get_running_loop().time()
        asked, tools = list(session.said), list(session.tools())
        self.made = Made(Answer(), asked, session.instructions, tools, now)
        model = session.model
        model.made.append(self.made)
        self.made.answer = model.take(self.made)

    def begin(self) -> None:
        self._task = self.session.start(self._speak())

    async def stop(self) -> None:
        """It is interrupted: what was sent stays in the history here."""
        self.made.stopped = asyncio.get_running_loop().time()
        if self._task is not None:
            self._task.cancel()
        if not self.made.over:
            self._remember()
        await self.session.content(interrupted=True)
        await self._end()

    async def _speak(self) -> None:
        session, answer = self.session, self.made.answer
        await asyncio.sleep(session.model.transcribing)
        if "inputAudioTranscription" in session.connection.config:
            for word in self._heard.split():
                await session.content(input_transcription={"text": " " + word})
        if answer.fault == "silence":
            await asyncio.sleep(10_000)
        if answer.fault == "error":
            await session.give_up()
            return
        await asyncio.sleep(max(0.0, answer.wait - session.model.transcribing))
        self.made.notes["first"] = len(session.model.voice.made)
        for spoken, sound in session.model.voice.answer(answer.words()):
            await self._word(spoken, sound)
        if answer.fault == "stall":
            await asyncio.sleep(10_000)
        if answer.fault == "cut":
            session.model.lose()
            return
        if answer.fault == "failed":
            await session.give_up()
            return
        if answer.fault == "away":
            await session.send(go_away={"time_left": "5s"})
        self.made.over = True
        self._remember()
        await self._close()

    async def _close(self) -> None:
        session = self.session
        await session.content(generation_complete=True)
        if not self.made.answer.calls:
            if self.made.first is not None:  # the turn is over when it has been heard
                heard = self.made.first + self.made.samples / OUT_RATE
                await asyncio.sleep(heard - asyncio.get_running_loop().time())
            session.turn = None
            await self._end()
            return
        session.turn = None
        calls = []
        for name, arguments in self.made.answer.calls:
            call_id = session.name("call")
            session.calls[call_id] = name
            session.said.append(("call", f"{name}({arguments})"))
            calls.append({"id": call_id, "name": name, "args": arguments})
        await session.send(tool_call={"function_calls": calls})

    async def _end(self) -> None:
        self.session.model.used += 1
        await self.session.send(usage_metadata=USAGE)
        await self.session.content(turn_complete=True)
        await self.session.resumable()

    def _remember(self) -> None:
        if self.made.said:
            self.session.said.append(("assistant", self.made.said))

    async def _word(self, spoken: str, sound: Samples) -> None:
        if self.made.answer.fault == "odd":
            await self.session.raw({"serverContent": {"moodChange": {"mood": "odd"}}})
        text = " " + spoken if self.made.said else spoken
        self.made.said += text
        if not self._audio:
            await self.session.content(model_turn={"role": "model", "parts": [{"text": text}]})
            await asyncio.sleep(0.02)
            return
        if "outputAudioTranscription" in self.session.connection.config:
            await self.session.content(output_transcription={"text": text})
        size = round(PIECE * OUT_RATE)
        for start in range(0, len(sound), size):
            piece = sound[start : start + size]
            await self._piece(piece)
            await asyncio.sleep(len(piece) / OUT_RATE / self.made.answer.speed)

    async def _piece(self, piece: Samples) -> None:
        blob: dict[str, Any] = {"mime_type": f"audio/pcm;rate={OUT_RATE}"}
        blob["data"] = piece.tobytes()
        part = {"inline_data": blob}
        await self.session.content(model_turn={"role": "model", "parts": [part]})
        self.session.model.sent(self.made, len(piece))
