// Two pages in Chromium on one stage: the first publishes its fake camera and microphone by WHIP, the second subscribes.
//
//   node stage.mjs <origin> <WHIP URL> <publisher token> <publisher id> <subscriber token>
//
// Prints what the subscriber decoded as one line of JSON.
import { chromium } from 'playwright-core';
import { hang, until } from './patience.mjs';

const [, , origin, whip, publisher, publisherId, subscriber] = process.argv;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', timeout: hang,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--mute-audio', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
    '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream=fps=30', '--allow-loopback-in-peer-connection',
    '--disable-features=WebRtcHideLocalIpsWithMdns',
    `--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE ${new URL(origin).hostname}`,
  ],
});

// exchange sends an offer to a WHIP or WHEP endpoint and applies its answer. It runs in the page.
const exchange = `async (pc, url, token) => {
  await pc.setLocalDescription(await pc.createOffer());
  if (pc.iceGatheringState !== 'complete') {
    await new Promise((done) => pc.addEventListener('icegatheringstatechange', () => pc.iceGatheringState === 'complete' && done()));
  }
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp', Authorization: 'Bearer ' + token },
    body: pc.localDescription.sdp,
  });
  const text = await answer.text();
  if (answer.status !== 201) throw new Error(answer.status + ' ' + text);
  await pc.setRemoteDescription({ type: 'answer', sdp: text });
}`;

const seen = {};
try {
  const sending = await browser.newPage({ bypassCSP: true });
  sending.setDefaultTimeout(hang);
  await sending.goto(origin);
  await sending.evaluate(
    async ({ exchange, whip, token }) => {
      const pc = (window.pc = new RTCPeerConnection());
      const media = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360 }, audio: true });
      for (const track of media.getTracks()) pc.addTransceiver(track, { direction: 'sendonly', streams: [media] });
      await eval(exchange)(pc, whip, token);
    },
    { exchange, whip, token: publisher },
  );
  const watching = await browser.newPage({ bypassCSP: true });
  watching.setDefaultTimeout(hang);
  await watching.goto(origin);
  const url = `${whip}/subscribe/${publisherId}`;
  await watching.evaluate(
    async ({ exchange, url, token }) => {
      const pc = (window.pc = new RTCPeerConnection());
      const video = document.createElement('video');
      video.autoplay = video.muted = true;
      document.body.append(video);
      pc.ontrack = (e) => {
        video.srcObject ??= new MediaStream();
        video.srcObject.addTrack(e.track);
      };
      pc.addTransceiver('video', { direction: 'recvonly' });
      pc.addTransceiver('audio', { direction: 'recvonly' });
      await eval(exchange)(pc, url, token);
    },
    { exchange, url, token: subscriber },
  );
  const stats = () =>
    watching.evaluate(async () => {
      const out = {};
      for (const r of (await window.pc.getStats()).values()) {
        if (r.type === 'inbound-rtp' && r.kind === 'video') Object.assign(out, { frames: r.framesDecoded ?? 0, width: r.frameWidth ?? 0, lost: r.packetsLost });
        if (r.type === 'inbound-rtp' && r.kind === 'audio') Object.assign(out, { audioPackets: r.packetsReceived, audioSeconds: r.totalSamplesDuration ?? 0 });
        if (r.type === 'transport') out.cipher = r.srtpCipher;
      }
      return out;
    });
  // What the publisher learns from the server: how much it may send, and how long the way is.
  const learned = () =>
    sending.evaluate(async () => {
      const out = { asked: 0 };
      const report = await window.pc.getStats();
      for (const r of report.values()) {
        // On a busy machine more pairs than the selected one may be nominated, and they know no bitrate.
        if (r.type === 'transport') out.bitrate = report.get(r.selectedCandidatePairId)?.availableOutgoingBitrate ?? 0;
        if (r.type === 'remote-inbound-rtp' && r.kind === 'video') Object.assign(out, { reports: r.roundTripTimeMeasurements, jitter: r.jitter });
        if (r.type === 'outbound-rtp') out.asked += r.nackCount ?? 0;
      }
      return out;
    });
  await until('enough of everything', async () => {
    Object.assign(seen, await stats(), await learned());
    return seen.frames > 60 && seen.audioPackets > 50 && seen.bitrate > 400_000 && seen.reports > 0;
  });
} catch (e) {
  seen.error = String(e);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
