// Three pages in Chromium on one stage, through the web client.
//
//   node client.mjs      RIVUS_CLIENT holds {"dist", "media", "tokens": {"alice", "bob", "carol", "carolAgain"}}
//
// Each step prints what it saw as a line of JSON. At {"step": "kick"} the caller disconnects carol.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { Shaper } from './client-shaper.mjs';
import { evaluate, hang, until as eventually } from './patience.mjs';

const { dist, media, tokens } = JSON.parse(process.env.RIVUS_CLIENT);
const files = { '/': ['client.html', 'text/html; charset=utf-8'], '/rivus-web.js': [`${dist}/rivus-web.js`, 'text/javascript'] };
const server = createServer((req, res) => {
  const [name, type] = files[req.url] ?? [];
  if (!name) return res.writeHead(404).end();
  res.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(readFileSync(name));
}).listen(0, '127.0.0.1');
await once(server, 'listening');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', timeout: hang,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--mute-audio', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
    '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream=fps=30', '--allow-loopback-in-peer-connection',
    '--disable-features=WebRtcHideLocalIpsWithMdns', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
  ],
});
const shaper = await Shaper.start(media);
const begin = performance.now();
const say = (step, what = {}) => console.log(JSON.stringify({ step, at: Math.round(performance.now() - begin), ...what }));

/** Waits until check, run in the page, gives something that counts as true, and returns it. */
async function until(page, what, check, arg) {
  try {
    return await eventually(what, () => evaluate(page, check, arg));
  } catch (e) {
    const state = await page.evaluate(async () => {
      const decoded = {};
      for (const user in app.remote) decoded[user] = await app.decoded(user);
      return JSON.stringify({ decoded, events: app.events.slice(-25) });
    });
    throw new Error(`${e.message}; the page: ${state}`);
  }
}

const pages = {};
async function open(user, config, prepare) {
  const context = await browser.newContext();
  context.setDefaultTimeout(hang);
  const page = (pages[user] = await context.newPage());
  page.on('pageerror', (e) => problems.push(`${user}: ${e}`));
  if (prepare) await page.addInitScript(prepare.script, prepare.arg);
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.evaluate((config) => app.start(config), config);
  return page;
}
const problems = [];

/** Makes the page send its media through the shaper. */
const shaped = {
  arg: shaper.port,
  script: (port) => {
    const { setRemoteDescription } = RTCPeerConnection.prototype;
    RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
      const lines = sdp.split('\r\n').filter((line) => !/^a=candidate:.* tcp /i.test(line));
      const moved = lines.map((line) => line.replace(/^(a=candidate:(?:\S+ ){5})\d+/, `$1${port}`));
      return setRemoteDescription.call(this, { type, sdp: moved.join('\r\n') });
    };
  },
};

/** Waits until a page sees and hears another: frames go on, and there is sound. */
async function sees(page, user, { video = true } = {}) {
  const before = await page.evaluate((user) => app.decoded(user), user);
  return until(page, `see and hear ${user}`, async ({ user, before, video }) => {
    const d = await app.decoded(user);
    return (!video || d.frames > before.frames + 10) && d.energy > before.energy && d;
  }, { user, before, video });
}

const camera = { width: 640, height: 360, frameRate: 30 };
const aliceConfig = {
  token: tokens.alice,
  video: camera,
  videoConfig: {
    inBandMessaging: { enabled: true },
    simulcast: {
      enabled: true,
      layers: [
        { width: 640, height: 360, maxBitrateKbps: 900, maxFramerate: 30 },
        { width: 320, height: 180, maxBitrateKbps: 100, maxFramerate: 15 },
      ],
    },
  },
};

async function meet() {
  await open('alice', aliceConfig);
  const guest = { video: { width: 320, height: 180, frameRate: 15 }, videoConfig: { maxBitrate: 100 }, subscribe: { inBandMessaging: { enabled: true } } };
  await open('bob', { token: tokens.bob, ...guest }, shaped);
  await open('carol', { token: tokens.carol, ...guest }, { script: () => delete window.RTCRtpScriptTransform });
  const seen = {};
  for (const from of Object.keys(pages)) {
    for (const to of Object.keys(pages)) if (from !== to) seen[`${to} sees ${from}`] = await sees(pages[to], from);
  }
  say('meet', { seen });
}

async function mute() {
  await pages.alice.evaluate(() => app.local.find((s) => s.streamType === 'audio').setMuted(true));
  const info = await until(pages.bob, 'alice is muted', () => {
    const { info, streams } = app.remote.alice;
    return app.events.some(([e, who, kind, on]) => e === 'mute' && who === 'alice' && kind === 'audio' && on) &&
      { audioMuted: info.audioMuted, videoStopped: info.videoStopped, stream: streams.audio.isMuted };
  });
  await pages.alice.evaluate(() => app.local.find((s) => s.streamType === 'audio').setMuted(false));
  await until(pages.bob, 'alice is not muted', () => !app.remote.alice.info.audioMuted);
  say('mute', info);
}

async function audioOnly() {
  const { bob } = pages;
  const posts = () => bob.evaluate(() => app.requests.filter(([method]) => method === 'POST').length);
  const before = await posts();
  await bob.evaluate(() => {
    app.wishes.carol = IVSBroadcastClient.SubscribeType.AUDIO_ONLY;
    app.stage.refreshStrategy();
  });
  await until(bob, "carol's video is removed", () => app.events.some(([e, who, kinds]) => e === 'removed' && who === 'carol' && kinds === 'video'));
  await sees(bob, 'carol', { video: false });
  await bob.evaluate(() => {
    app.wishes.carol = IVSBroadcastClient.SubscribeType.AUDIO_VIDEO;
    app.stage.refreshStrategy();
    app.stage.refreshStrategy(); // nothing is different: nothing happens
  });
  const back = await sees(bob, 'carol');
  say('audio only', { newConnections: (await posts()) - before, back });
}

/** A publication of another form takes the place of the older; those who watch stay on their connections. */
async function republish() {
  const { bob, carol } = pages;
  const from = await bob.evaluate(() => [app.events.length, app.requests.length]);
  await carol.evaluate(() => {
    const { LocalStageStream } = IVSBroadcastClient;
    app.local = app.local.map((s) => new LocalStageStream(s.mediaStreamTrack, s.streamType === 'video' ? { minBitrate: 50, maxBitrate: 100 } : {}));
    app.stage.refreshStrategy();
  });
  await until(carol, 'carol has published again', () => app.requests.filter(([method, path]) => method === 'POST' && path === 'rt').length === 2);
  await until(carol, 'it is there', () => app.events.findLast(([e, who]) => e === 'publish' && who === 'carol')[2] === 'published');
  await sees(bob, 'carol');
  say('republish', await bob.evaluate(([e, r]) => ({ events: app.events.slice(e).filter(([, who]) => who === 'carol'), requests: app.requests.slice(r) }), from));
}

async function exchange() {
  await pages.carol.evaluate((token) => app.stage.exchangeToken(token), tokens.carolAgain);
  const attributes = await until(pages.bob, "carol's attributes change", () => {
    const event = app.events.findLast(([e, who]) => e === 'metadata' && who === 'carol');
    return event?.[2];
  });
  const refused = await pages.carol.evaluate((token) => app.stage.exchangeToken(token).catch((e) => e.code), tokens.bob);
  say('exchange', { attributes, refused });
}

/** A message arrives through a worker, and where the browser has only the older interface. */
async function sei() {
  const sent = await pages.alice.evaluate(() => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i % 7 < 3 ? 0 : i % 256)); // zeros want emulation prevention
    app.local.find((s) => s.streamType === 'video').insertSeiMessage(bytes.buffer, { repeatCount: 3 });
    return [...bytes];
  });
  const got = {};
  for (const user of ['bob', 'carol']) {
    const { from, uuid, bytes } = await until(pages[user], 'the message', () => app.messages[0]);
    got[user] = { from, uuid, equal: JSON.stringify(bytes) === JSON.stringify(sent), worker: await pages[user].evaluate(() => 'RTCRtpScriptTransform' in window) };
  }
  say('sei', { got });
}

async function simulcast() {
  const layer = (label) => until(pages.bob, `layer ${label}`, (label) => app.remote.alice.streams.video?.getSelectedLayer()?.label === label, label);
  await layer('hi');
  const wide = await until(pages.bob, 'the large picture', async () => {
    const { width } = await app.decoded('alice');
    return width > 320 && width;
  });
  const from = await pages.bob.evaluate(() => app.events.length);
  shaper.rate = 450_000; // not enough for the high layer, and more than enough for the rest
  await layer('low');
  const narrow = await until(pages.bob, 'a smaller picture', async (wide) => {
    const { width } = await app.decoded('alice');
    return width < wide && width;
  }, wide);
  const { frames, energy } = await pages.bob.evaluate(() => app.decoded('alice'));
  await until(pages.bob, 'the low layer goes on, with its sound', async ({ frames, energy }) => {
    const d = await app.decoded('alice');
    return d.frames > frames + 30 && d.energy > energy;
  }, { frames, energy });
  const layers = await pages.bob.evaluate((from) => app.events.slice(from).filter(([e]) => e === 'layer').map((e) => e[2]), from);
  say('throttled', { wide, narrow, layers });
  shaper.rate = Infinity;
  await layer('hi');
  // A preferred layer is kept whatever the network carries, and given up again.
  await pages.bob.evaluate(() => {
    app.layer.alice = 'low';
    app.stage.refreshStrategy();
  });
  await layer('low');
  const adapting = await pages.bob.evaluate(() => {
    app.layer.alice = null;
    return app.events.findLast(([e]) => e === 'adapting')[2];
  });
  await pages.bob.evaluate(() => app.stage.refreshStrategy());
  await layer('hi');
  say('simulcast', { adapting, changes: await pages.bob.evaluate(() => app.events.filter(([e]) => e === 'layer').map((e) => e.slice(2).join(' '))) });
}

async function quality() {
  const sent = await pages.alice.evaluate(() => app.local.find((s) => s.streamType === 'video').requestQualityStats());
  const heard = await pages.bob.evaluate(() => app.remote.alice.streams.audio.requestQualityStats());
  say('quality', {
    sent: sent.map(({ rid, active, networkQuality, packetsSent, frameHeight }) => ({ rid, active, networkQuality, packetsSent, frameHeight })),
    heard: { networkQuality: heard.networkQuality, packetsReceived: heard.packetsReceived },
  });
}

/** The socket goes, and then the network under the media: both come back, with the same streams. */
async function reconnect() {
  const { bob } = pages;
  const from = await bob.evaluate(() => app.events.length);
  const requests = await bob.evaluate(() => app.requests.length);
  await bob.evaluate(() => app.sockets.at(-1).close());
  await until(bob, 'connected again', (from) => app.events.slice(from).some(([e, , state]) => e === 'state' && state === 'connected'), from);
  shaper.cut = true;
  await until(bob, 'ICE is restarted', (n) => app.requests.slice(n).some(([method]) => method === 'PATCH'), requests);
  shaper.cut = false;
  await sees(bob, 'alice');
  const events = await bob.evaluate((from) => app.events.slice(from), from);
  say('reconnect', {
    states: events.filter(([e]) => e === 'state').map((e) => e[2]),
    errors: events.filter(([e]) => e === 'error'),
    streams: events.filter(([e]) => e === 'added' || e === 'removed'),
    requests: await bob.evaluate((n) => app.requests.slice(n).map((r) => r.join(' ')), requests),
  });
}

async function reload() {
  const { alice, bob } = pages;
  await bob.evaluate(() => delete app.remote.alice.firstFrame);
  const from = await bob.evaluate(() => app.events.length);
  await alice.evaluate((config) => app.reload(config), aliceConfig).catch(() => {}); // the page goes while it answers
  const frame = await until(bob, 'alice is back', () => app.remote.alice.firstFrame);
  const reloaded = await until(alice, 'the page is there', () => window.app && Number(sessionStorage.getItem('reloaded')));
  await sees(bob, 'alice');
  await sees(alice, 'bob');
  const events = await bob.evaluate((from) => app.events.slice(from).filter(([, who]) => who === 'alice').map((e) => e.join(' ')), from);
  say('reload', { milliseconds: Math.round(frame - reloaded), events });
}

async function kick() {
  say('kick');
  const { carol, bob } = pages;
  const left = await until(carol, 'carol is told', () => app.events.find(([e]) => e === 'left the stage'));
  await until(bob, 'carol has left', () => app.events.some(([e, who]) => e === 'left' && who === 'carol'));
  const events = await carol.evaluate(() => app.events.filter(([e]) => e === 'error' || e === 'state').slice(-2));
  const again = await carol.evaluate(() => app.stage.join().then(() => 'let in', (e) => e.code));
  say('kicked', { left, events, again });
}

try {
  for (const step of [meet, mute, audioOnly, republish, exchange, sei, simulcast, quality, reconnect, reload, kick]) await step();
  say('end', { problems });
} catch (e) {
  say('error', { error: String(e), problems });
} finally {
  await browser.close();
  shaper.close();
  server.close();
}
