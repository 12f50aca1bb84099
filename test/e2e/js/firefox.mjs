// The stage page in Firefox: two people who meet, send all their layers, mute, pin a layer, reload and leave.
//
//   node --experimental-websocket firefox.mjs      RIVUS_PAGE holds {"url", "tokens": {"alice", "bob"}}, FIREFOX the browser
//
// Each step prints what it saw as a line of JSON.
import { Firefox } from './firefox-driver.mjs';

const { url, tokens } = JSON.parse(process.env.RIVUS_PAGE);
const say = (step, what = {}) => console.log(JSON.stringify({ step, ...what }));

/** Keeps the peer connections of a page where the statistics are found. */
const watchConnections = () => {
  window.connections = [];
  window.statistics = async (type, kind) => {
    const reports = await Promise.all(window.connections.map((pc) => pc.getStats()));
    return reports.flatMap((r) => [...r.values()]).filter((r) => r.type === type && r.kind === kind);
  };
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      window.connections.push(this);
    }
  };
};

/** Clicks on the element of a selector that has a text, once there is one that can be clicked on. */
const click = (page, selector, text = '') =>
  page.until(`click on ${selector} ${text}`, ({ selector, text }) => {
    const found = [...document.querySelectorAll(selector)].find((e) => e.textContent.startsWith(text) && !e.disabled);
    found?.click();
    return Boolean(found);
  }, { selector, text });

const stateIs = (state) => document.querySelector('[data-testid=state]')?.textContent === state;

async function join(user) {
  const page = await firefox.open(`${url}/stage#token=${tokens[user]}`, watchConnections);
  await page.until('camera and microphone', () => document.querySelector('[data-testid=join]')?.textContent === 'Join');
  await click(page, '[data-testid=join]');
  await page.until('live', stateIs, 'live');
  return page;
}

/** Waits until the picture of somebody moves on a page from now on, and returns its width. */
async function sees(page, user, width = 0) {
  await page.evaluate(() => delete window.watched);
  return page.until(`see ${user}`, ({ user, width }) => {
    const video = document.querySelector(`[data-testid=tile][data-name="${user}"] video`);
    if (!video?.videoWidth) return 0;
    if (window.watched?.video !== video) {
      const watched = (window.watched = { video, frames: 0 });
      const count = () => {
        watched.frames++;
        if (window.watched === watched) video.requestVideoFrameCallback(count);
      };
      video.requestVideoFrameCallback(count);
    }
    return window.watched.frames > 10 && (!width || video.videoWidth === width) && video.videoWidth;
  }, { user, width });
}

/** Waits until a page has received sound, and returns its energy. */
const hears = (page) =>
  page.until('sound', async () => (await statistics('inbound-rtp', 'audio')).reduce((sum, r) => sum + r.totalAudioEnergy, 0));

let last = { step: 'end' };
const firefox = await Firefox.launch(process.env.FIREFOX);
try {
  const alice = await join('alice');
  await sees(alice, 'alice');
  const bob = await join('bob');
  const widths = [await sees(alice, 'bob'), await sees(bob, 'alice')];
  say('meets', { version: firefox.version, widths, energy: [await hears(alice), await hears(bob)] });

  // More than the lowest layer is sent only after the server's feedback has said that there is room for it.
  const layers = await alice.until('all layers are sent', async () => {
    const sent = (await statistics('outbound-rtp', 'video')).filter((r) => r.framesEncoded > 0);
    return sent.length === 3 && sent.map((r) => r.rid).sort();
  });
  say('climbs', { layers });

  await click(bob, '.bar button', 'Microphone');
  await alice.until('bob is muted', () => /is muted/.test(document.querySelector('[data-testid=tile][data-name=bob]')?.textContent));
  await click(bob, '.bar button', 'Camera');
  await alice.until('bob is not to be seen', () => document.querySelector('[data-testid=tile][data-name=bob] .initials') !== null);
  await click(bob, '.bar button', 'Camera');
  await sees(alice, 'bob');
  say('mutes');

  await click(alice, '[data-testid=tile][data-name=bob] .details-button');
  await click(alice, '[data-testid=details] label', 'Low');
  say('pins', { widths: [await sees(alice, 'bob', 320)] });

  await alice.reload();
  await alice.until('live again', stateIs, 'live');
  await sees(bob, 'alice');
  await sees(alice, 'bob');
  say('reloads');

  await click(bob, '.bar button', 'Leave');
  const left = await bob.until('bob has left', () => document.querySelector('[data-testid=ended] h1')?.textContent);
  await alice.until('bob is gone', () => !document.querySelector('[data-testid=tile][data-name=bob]'));
  say('leaves', { left });
} catch (e) {
  last = { step: 'failed', error: String(e) };
}
await firefox.close(); // whoever reads the last line may end this process
console.log(JSON.stringify({ ...last, problems: firefox.problems }));
