// A page to talk with an agent, of LiveKit's own React components for voice assistants.

import {
  BarVisualizer,
  LiveKitRoom,
  RoomAudioRenderer,
  TrackToggle,
  VoiceAssistantControlBar,
  useChat,
  useLocalParticipant,
  useTranscriptions,
  useVoiceAssistant,
} from "@livekit/components-react";
import "@livekit/components-styles";
import { Track } from "livekit-client";
import { useState } from "react";
import { createRoot } from "react-dom/client";

function Page() {
  const [ticket, setTicket] = useState(null);
  const [trouble, setTrouble] = useState("");

  async function call() {
    setTrouble("");
    try {
      const answer = await fetch("/token" + window.location.search, { method: "POST" });
      if (!answer.ok) throw new Error(await answer.text());
      setTicket(await answer.json());
    } catch (error) {
      setTrouble(error.message);
    }
  }

  if (!ticket) {
    return (
      <>
        <button className="lk-button" onClick={call}>Call</button>
        <p role="alert">{trouble}</p>
      </>
    );
  }
  return (
    <LiveKitRoom
      serverUrl={ticket.url}
      token={ticket.token}
      audio
      onError={(error) => setTrouble(error.message)}
      onDisconnected={() => setTicket(null)}
    >
      <Assistant />
      <Words />
      <Writing />
      <div className="controls">
        <TrackToggle source={Track.Source.Camera}>Camera</TrackToggle>
        <TrackToggle source={Track.Source.ScreenShare}>Screen</TrackToggle>
        <VoiceAssistantControlBar />
      </div>
      <RoomAudioRenderer />
      <p role="alert">{trouble}</p>
    </LiveKitRoom>
  );
}

function Assistant() {
  const { state, audioTrack } = useVoiceAssistant();
  return (
    <>
      <BarVisualizer state={state} trackRef={audioTrack} barCount={7} />
      <div className="state" data-state={state}>{state}</div>
    </>
  );
}

function Words() {
  const me = useLocalParticipant().localParticipant.identity;
  return (
    <ol>
      {useTranscriptions().map(({ text, participantInfo, streamInfo }) => {
        const final = streamInfo.attributes["lk.transcription_final"] === "true";
        const whose = participantInfo.identity === me ? "you" : "agent";
        return (
          <li key={streamInfo.attributes["lk.segment_id"]} className={whose + (whose === "you" && !final ? " going" : "")}>
            {text}
          </li>
        );
      })}
    </ol>
  );
}

function Writing() {
  const { send, isSending } = useChat();
  const [line, setLine] = useState("");

  async function write(event) {
    event.preventDefault();
    if (!line.trim()) return;
    await send(line);
    setLine("");
  }

  return (
    <form onSubmit={write}>
      <input
        className="lk-form-control"
        aria-label="Write"
        placeholder="Write instead of speaking"
        value={line}
        onChange={(event) => setLine(event.target.value)}
      />
      <button className="lk-button" disabled={isSending}>Send</button>
    </form>
  );
}

createRoot(document.querySelector("main")).render(<Page />);
