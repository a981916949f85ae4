// All that a page needs to talk with an agent: livekit-client, and nothing built.

const { Room, RoomEvent } = LivekitClient;
const state = document.querySelector("#state");
const room = new Room();

document.querySelector("button").onclick = async ({ target }) => {
  target.disabled = true;
  try {
    const answer = await fetch("/token" + location.search, { method: "POST" });
    if (!answer.ok) throw new Error(await answer.text());
    const { url, token } = await answer.json();
    await room.connect(url, token);
    await room.localParticipant.setMicrophoneEnabled(true);
  } catch (error) {
    state.textContent = error.message;
    target.disabled = false;
  }
};

room.on(RoomEvent.Disconnected, () => (state.textContent = "disconnected"));
room.on(RoomEvent.ParticipantAttributesChanged, show);
room.on(RoomEvent.ParticipantConnected, (participant) => show(participant.attributes));
room.on(RoomEvent.Connected, () => {
  state.textContent = "waiting for an agent";
  room.remoteParticipants.forEach((participant) => show(participant.attributes));
});

function show(attributes) {
  if (attributes["lk.agent.state"]) state.textContent = attributes["lk.agent.state"];
}

// Sound, and how loud it is.

room.on(RoomEvent.TrackSubscribed, (track) => {
  if (track.kind !== "audio") return;
  document.body.append(track.attach());
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(new MediaStream([track.mediaStreamTrack])).connect(analyser);
  const sound = new Float32Array(analyser.fftSize);
  const meter = document.querySelector("meter");
  setInterval(() => {
    analyser.getFloatTimeDomainData(sound);
    meter.value = Math.max(...sound.map(Math.abs));
  }, 50);
});

// Words: those of one segment replace what was known of it.

room.registerTextStreamHandler("lk.transcription", async (reader, { identity }) => {
  const id = reader.info.attributes["lk.segment_id"];
  let line = document.getElementById(id);
  if (!line) {
    line = document.createElement("p");
    line.id = id;
    line.className = identity === room.localParticipant.identity ? "you" : "agent";
    document.querySelector("#words").append(line);
  }
  let text = "";
  for await (const part of reader) {
    text += part;
    line.textContent = text;
  }
});
