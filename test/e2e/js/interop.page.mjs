// What the page of interop.mjs runs: published clients of WHIP and WHEP, as they are. interop.mjs bundles it.
import { WHIPClient as EyevinnPublisher } from '@eyevinn/whip-web-client';
import { WebRTCPlayer } from '@eyevinn/webrtc-player';
import { WHEPClient } from 'whip-whep/whep.js';
import { WHIPClient } from 'whip-whep/whip.js';

// A page sees every connection that a client makes inside.
const connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...args) {
    super(...args);
    connections.push(this);
  }
};

// Each publishes a stream and returns how to end that.
const publishers = {
  'whip-whep': async (media, url, token) => {
    const pc = new RTCPeerConnection();
    for (const track of media.getTracks()) pc.addTransceiver(track, { direction: 'sendonly', streams: [media] });
    const client = new WHIPClient();
    await client.publish(pc, url, token);
    return () => client.stop();
  },
  '@eyevinn/whip-web-client': async (media, url, token) => {
    const client = new EyevinnPublisher({ endpoint: url, opts: { authkey: token, iceServers: [] } });
    await client.setIceServersFromEndpoint();
    await client.ingest(media);
    return () => client.destroy();
  },
};

// Each plays into a video element and returns how to end that.
const players = {
  'whip-whep': async (video, url, token) => {
    const pc = new RTCPeerConnection();
    video.srcObject = new MediaStream();
    pc.ontrack = (e) => video.srcObject.addTrack(e.track);
    for (const kind of ['video', 'audio']) pc.addTransceiver(kind, { direction: 'recvonly' });
    const client = new WHEPClient();
    await client.view(pc, url, token);
    return () => client.stop();
  },
  '@eyevinn/webrtc-player': async (video, url, token) => {
    const player = new WebRTCPlayer({ video, type: 'whep', iceServers: [] });
    await player.load(new URL(url), `Bearer ${token}`); // the key is sent as it is
    return () => player.unload();
  },
};

/** Publishes the fake camera and microphone, and returns when the connection stands. */
window.publish = async ({ client, url, token, patience }) => {
  const media = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360 }, audio: true });
  window.leave = await publishers[client](media, url, token);
  await until(patience, () => connections.at(-1)?.connectionState === 'connected');
};

/** Plays, and returns what was decoded once it is enough or patience, in milliseconds, is at its end. */
window.play = async ({ client, url, token, patience }) => {
  const video = document.createElement('video');
  video.autoplay = true; // not muted: only what is played has energy
  document.body.append(video);
  window.leave = await players[client](video, url, token);
  const seen = { frames: 0, width: 0, sound: 0, level: 0 };
  await until(patience, async () => {
    for (const r of (await connections.at(-1)?.getStats())?.values() ?? []) {
      if (r.type !== 'inbound-rtp') continue;
      if (r.kind === 'video') Object.assign(seen, { frames: r.framesDecoded ?? 0, width: r.frameWidth ?? 0 });
      if (r.kind === 'audio') Object.assign(seen, { sound: r.packetsReceived, level: Math.sqrt(r.totalAudioEnergy / r.totalSamplesDuration) || 0 });
    }
    return seen.frames >= 60 && seen.sound >= 50 && seen.level > 0;
  });
  return { ...seen, shown: video.videoWidth };
};

/** Waits until a condition holds, or for so long. */
async function until(patience, condition) {
  const limit = Date.now() + patience;
  while (!(await condition()) && Date.now() < limit) await new Promise((done) => setTimeout(done, 100));
}
