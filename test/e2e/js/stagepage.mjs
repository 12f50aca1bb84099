// The stage page in Chromium: people who meet, mute, pin a layer, reload and are removed; and how a crowd is laid out.
//
//   node stagepage.mjs      RIVUS_PAGE holds {"url", "dist", "tokens": {"alice", "bob", "viewer"}, "crowd": [11 tokens], "shots"}
//
// Each step prints what it saw as a line of JSON. At {"step": "kick"} the caller disconnects bob.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { evaluate, hang, until } from './patience.mjs';

const { url, dist, tokens, crowd, shots } = JSON.parse(process.env.RIVUS_PAGE);
// No flag here lets sound play before a click: that is part of what is looked at.
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', timeout: hang,
  ignoreDefaultArgs: ['--autoplay-policy=no-user-gesture-required'],
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--mute-audio', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream=fps=30', '--allow-loopback-in-peer-connection',
    '--disable-features=WebRtcHideLocalIpsWithMdns', `--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE ${new URL(url).hostname}`,
  ],
});
const sizes = { wide: { width: 1280, height: 720 }, upright: { width: 390, height: 844 }, sideways: { width: 844, height: 390 } };
const problems = [];
const say = (step, what = {}) => console.log(JSON.stringify({ step, ...what }));

/**
 * Keeps the peer connections of a page where the statistics are found, and what its button to join has said. A page that
 * was told to is reloaded once more while it joins.
 */
const watch = () => {
  if (sessionStorage.getItem('again')) {
    sessionStorage.removeItem('again');
    window.WebSocket = class extends WebSocket {
      constructor(...args) {
        super(...args);
        location.reload();
      }
    };
  }
  window.connections = [];
  window.labels = [];
  new MutationObserver(() => {
    const label = document.querySelector('[data-testid=join]')?.textContent;
    if (label && label !== window.labels.at(-1)) window.labels.push(label);
  }).observe(document, { childList: true, subtree: true, characterData: true });
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      window.connections.push(this);
    }
  };
};

async function open(user, options = {}) {
  const context = await browser.newContext({ viewport: sizes.wide, permissions: ['camera', 'microphone'], ...options });
  context.setDefaultTimeout(hang);
  const page = await context.newPage();
  listen(page, user);
  await page.addInitScript(watch);
  await page.goto(`${url}/stage#token=${tokens[user]}`);
  return page;
}

/** Notes what a page's developer console shows in red. */
function listen(page, user) {
  page.on('console', (m) => m.type() === 'error' && problems.push(`${user}: ${m.text()} ${m.location().url}`));
  page.on('pageerror', (e) => problems.push(`${user}: ${e}`));
}

/** Waits until an element is there, or is not any more. */
const has = (page, selector, wanted = true) =>
  until(`${selector}: ${wanted}`, () => evaluate(page, ([s, wanted]) => (document.querySelector(s) !== null) === wanted, [selector, wanted]));

/** Waits until an element has a text that fits, and returns it. */
async function says(page, selector, pattern = '.') {
  const text = ([s, pattern]) => {
    const said = document.querySelector(s)?.textContent ?? '';
    return new RegExp(pattern).test(said) && said.trim();
  };
  return until(`${selector} says ${pattern}`, () => evaluate(page, text, [selector, pattern]));
}

async function click(page, selector, text = '') {
  await has(page, selector);
  await page.click(text ? `${selector}:has-text("${text}")` : selector);
}

const state = (page, wanted) => says(page, '[data-testid=state]', `^${wanted}$`);

async function join(page, wanted = 'live') {
  await click(page, '[data-testid=join]:enabled');
  await state(page, wanted);
}

const tile = (user) => `[data-testid=tile][data-name="${user}"]`;

/** Waits until the picture of somebody moves on a page from now on, and returns its width. */
async function sees(page, user) {
  const look = (selector) => {
    const video = document.querySelector(`${selector} video`);
    if (!video?.videoWidth) return undefined;
    video.dataset.id ??= String(Math.random());
    return { id: video.dataset.id, frames: video.getVideoPlaybackQuality().totalVideoFrames, width: video.videoWidth };
  };
  let from; // another element, and another track, begin to count anew
  return until(`see ${user}`, async () => {
    const now = await evaluate(page, look, tile(user));
    if (!now || now.id !== from?.id || now.frames < from.frames) from = now;
    return now && now.frames > from.frames + 10 && now.width;
  });
}

/** Waits until a page has received sound, and returns its energy. */
const hears = (page) =>
  until('sound', () =>
    evaluate(page, async () => {
      const reports = await Promise.all(window.connections.map((pc) => pc.getStats()));
      const rows = reports.flatMap((r) => [...r.values()]).filter((r) => r.type === 'inbound-rtp' && r.kind === 'audio');
      return rows.reduce((sum, r) => sum + (r.totalAudioEnergy ?? 0), 0);
    }),
  );

/** The contrasts of texts with what they lie on, by what is looked at. */
const contrasts = (page, selectors) =>
  page.evaluate((selectors) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
    const g = canvas.getContext('2d', { willReadFrequently: true });
    /** Paints colors over each other. */
    const paint = (...colors) => {
      for (const color of colors) {
        g.fillStyle = color;
        g.fillRect(0, 0, 1, 1);
      }
      return [...g.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const linear = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const found = {};
    for (const selector of selectors) {
      const element = document.querySelector(selector);
      if (!element) continue;
      const grounds = [];
      for (let e = element; e; e = e.parentElement) grounds.unshift(getComputedStyle(e).backgroundColor);
      const [a, b] = [luminance(paint('#fff', ...grounds)), luminance(paint('#fff', ...grounds, getComputedStyle(element).color))];
      found[selector] = Math.round((100 * (Math.max(a, b) + 0.05)) / (Math.min(a, b) + 0.05)) / 100;
    }
    return found;
  }, selectors);

/** Measures how the tiles lie, in every size of window. */
async function layouts(page, people, names = Object.keys(sizes)) {
  for (const name of names) {
    await page.setViewportSize(sizes[name]);
    await until(`${people} tiles in ${name}`, () => page.evaluate(settled, [sizes[name], people]));
    say('layout', { size: name, people, ...(await page.evaluate(measure)) });
    if (shots) await page.screenshot({ path: `${shots}/stage-${name}-${people}.png` });
  }
  await page.setViewportSize(sizes.wide);
}

/** Tells whether the tiles lie as the size of the window wants it, and stay so from one frame to the next. */
async function settled([{ width, height }, people]) {
  const lie = () => JSON.stringify([...document.querySelectorAll('[data-testid=tile]')].map((t) => t.getBoundingClientRect()));
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const before = lie();
  for (let i = 0; i < 3; i++) await frame();
  const tiles = [...document.querySelectorAll('[data-testid=tile]')].filter((t) => t.getBoundingClientRect().width > 40);
  return innerWidth === width && innerHeight === height && tiles.length === people && lie() === before;
}

function measure() {
  const box = (e) => e.getBoundingClientRect();
  const space = box(document.querySelector('.space'));
  const all = [...document.querySelectorAll('[data-testid=tile]')];
  const grid = all.filter((t) => !t.classList.contains('corner')).map(box);
  const inside = (r, w = { left: 0, top: 0, right: innerWidth, bottom: innerHeight }) =>
    r.left >= w.left - 1 && r.top >= w.top - 1 && r.right <= w.right + 1 && r.bottom <= w.bottom + 1;
  const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
  const shapes = grid.map((r) => r.width / r.height);
  const buttons = [...document.querySelectorAll('.bar button')].map(box);
  return {
    inside: all.map(box).every((r) => inside(r, space)),
    apart: grid.every((a, i) => grid.every((b, j) => i === j || apart(a, b))),
    ratio: [Math.min(...shapes), Math.max(...shapes)],
    corner: all.length - grid.length,
    share: grid.reduce((sum, r) => sum + r.width * r.height, 0) / (space.width * space.height),
    scrolls: document.documentElement.scrollHeight > innerHeight || document.documentElement.scrollWidth > innerWidth,
    controls: buttons.every((b) => inside(b) && b.width >= 40 && b.height >= 40),
  };
}

/** Joins the stage from one page with as many people as there are tokens; their pictures are drawn. */
async function gather(page, members) {
  await page.evaluate(async (members) => {
    const { Stage, LocalStageStream, SubscribeType } = window.RivusWeb;
    const sound = (window.sound ??= new AudioContext());
    for (const [name, token] of members) {
      const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
      const g = canvas.getContext('2d');
      const hue = [...name].reduce((sum, c) => sum + c.charCodeAt(0) * 17, 0) % 360;
      let turn = 0;
      const draw = () => {
        const sky = g.createLinearGradient(0, 0, 320, 180);
        sky.addColorStop(0, `hsl(${hue} 45% 62%)`);
        sky.addColorStop(1, `hsl(${hue + 50} 50% 32%)`);
        g.fillStyle = sky;
        g.fillRect(0, 0, 320, 180);
        const sway = Math.sin(turn++ / 6) * 6;
        g.fillStyle = `hsl(${hue + 190} 35% 26%)`;
        g.beginPath();
        g.ellipse(160 + sway / 2, 190, 74, 66, 0, 0, 7);
        g.fill();
        g.fillStyle = `hsl(${20 + (hue % 25)} ${35 + (hue % 30)}% ${38 + (hue % 38)}%)`;
        g.beginPath();
        g.ellipse(160 + sway, 88, 33, 42, sway / 80, 0, 7);
        g.fill();
      };
      draw();
      setInterval(draw, 200);
      const out = sound.createMediaStreamDestination();
      const tone = sound.createOscillator();
      const loudness = sound.createGain();
      loudness.gain.value = name === members[0][0] ? 0.3 : 0;
      tone.connect(loudness).connect(out);
      tone.start();
      const streams = [new LocalStageStream(canvas.captureStream(5).getVideoTracks()[0]), new LocalStageStream(out.stream.getAudioTracks()[0])];
      if (name === members[1]?.[0]) streams[1].setMuted(true);
      const stage = new Stage(token, {
        stageStreamsToPublish: () => streams,
        shouldPublishParticipant: () => true,
        shouldSubscribeToParticipant: () => SubscribeType.NONE,
      });
      await stage.join();
    }
  }, members);
}

const path = (page) => page.evaluate(() => location.pathname + location.search + location.hash);

/** Whether the buttons below can be reached beside the panel about somebody. */
function reachable() {
  const [panel, ...buttons] = [document.querySelector('[data-testid=details]'), ...document.querySelectorAll('.bar button')];
  const box = panel.getBoundingClientRect();
  return box.top >= 0 && box.bottom <= innerHeight && buttons.every((b) => {
    const { left, top, width, height } = b.getBoundingClientRect();
    return b.contains(document.elementFromPoint(left + width / 2, top + height / 2));
  });
}

const shoot = async (page, name) => shots && (await page.screenshot({ path: `${shots}/stage-${name}.png` }));

try {
  const alice = await open('alice');
  await has(alice, '[data-testid=join]:enabled');
  const address = await path(alice);
  await shoot(alice, 'lobby');
  await join(alice);
  await sees(alice, 'alice');
  await layouts(alice, 1);

  const bob = await open('bob');
  await join(bob);
  const widths = [await sees(alice, 'bob'), await sees(bob, 'alice')];
  const energy = [await hears(alice), await hears(bob)];
  say('meets', { address, widths, energy, labels: await bob.evaluate(() => window.labels) });
  await layouts(alice, 2, ['wide', 'upright']);

  await click(bob, '.bar button', 'Microphone');
  await says(alice, `${tile('bob')} .unseen`, 'is muted');
  await click(bob, '.bar button', 'Camera');
  await has(alice, `${tile('bob')} .initials`);
  const contrast = await contrasts(bob, ['.control.leave', '.control.off', '.badge', '[data-testid=count]', '.nameplate .name']);
  say('mutes');
  await click(bob, '.bar button', 'Camera');
  await has(alice, `${tile('bob')} .initials`, false);

  await click(alice, '.bar button', 'Figures');
  await click(alice, `${tile('bob')} .details-button`);
  await has(alice, '[data-testid=details] .choice:nth-of-type(2)');
  await alice.getByRole('radio', { name: /^Low/ }).click();
  await until('the low layer', () => alice.evaluate((s) => document.querySelector(`${s} video`)?.videoWidth === 320, tile('bob')));
  const delay = await says(alice, '[data-testid=delay]', '\\d ms');
  await shoot(alice, 'details');
  const free = {};
  for (const [name, size] of Object.entries(sizes)) {
    await alice.setViewportSize(size);
    await until(`the panel in ${name}`, async () => (free[name] = await alice.evaluate(reachable)));
    await shoot(alice, `details-${name}`);
  }
  await alice.setViewportSize(sizes.wide);
  await alice.getByLabel('Sound only').click();
  await has(alice, `${tile('bob')} .initials`);
  await alice.keyboard.press('Escape');
  await has(alice, '[data-testid=details]', false);
  const focused = await until('the focus is back', () =>
    alice.evaluate(() => document.activeElement !== document.body && document.activeElement.getAttribute('aria-label')));
  say('pins', { delay, focused, free });

  const viewer = await open('viewer');
  await join(viewer, 'watching');
  await sees(viewer, 'alice');
  const begin = Date.now();
  await viewer.reload();
  await state(viewer, 'watching');
  const back = Date.now() - begin;
  await sees(viewer, 'alice');
  // The same in another tab, where nobody has clicked yet: sound waits for that, and the first tab is told.
  const memory = await viewer.evaluate(() => ({ ...sessionStorage }));
  const second = await viewer.context().newPage();
  listen(second, 'viewer, second tab');
  await second.addInitScript(watch);
  await second.addInitScript((memory) => {
    if (sessionStorage.length === 0) Object.assign(sessionStorage, memory);
    const told = () => document.querySelector('.unmute') && console.log('silent');
    new MutationObserver(told).observe(document, { childList: true, subtree: true });
  }, memory);
  // Whatever Playwright evaluates counts as a click, so the page has to speak for itself.
  const silent = second.waitForEvent('console', (m) => m.text() === 'silent');
  await second.goto(`${url}/stage`);
  await silent;
  await shoot(second, 'unmute');
  const replaced = await says(viewer, '[data-testid=ended] h1');
  await second.click('.unmute');
  await has(second, '.unmute', false);
  await hears(second);
  await click(second, '.bar button', 'Leave');
  const left = await says(second, '[data-testid=ended] h1');
  const stored = await second.evaluate(() => [sessionStorage.length, localStorage.length]);
  // Camera and microphone come back together: nobody sees the publication end or begin twice.
  await bob.evaluate((selector) => {
    window.seen = [];
    const look = () => {
      const there = document.querySelector(selector) !== null;
      if (there !== window.seen.at(-1)) window.seen.push(there);
    };
    look();
    new MutationObserver(look).observe(document, { childList: true, subtree: true });
  }, tile('alice'));
  await alice.evaluate(() => sessionStorage.setItem('again', 'yes'));
  await alice.reload();
  await state(alice, 'live');
  await sees(bob, 'alice');
  const tiles = await bob.evaluate(() => window.seen);
  const connections = await alice.evaluate(() => window.connections.filter((pc) => pc.getSenders().some((s) => s.track)).length);
  say('reloads', { back, replaced, left, stored, tiles, connections });

  say('kick');
  const ended = await says(bob, '[data-testid=ended] [role=alert]');
  await bob.reload();
  await has(bob, 'input[aria-label="Participant token"]');
  say('kicked', { ended });
  for (const page of [bob, viewer]) await page.context().close();

  const stranger = await open('stranger');
  const refused = await says(stranger, '[role=alert]');
  Object.assign(contrast, await contrasts(stranger, ['.problem', 'code', '.muted']));
  await stranger.emulateMedia({ colorScheme: 'light' });
  const inLight = await contrasts(stranger, ['.problem', 'code', '.muted']);
  await shoot(stranger, 'enter-light');
  say('reads', { contrast: [...Object.values(contrast), ...Object.values(inLight)], least: { ...contrast, inLight } });
  await stranger.context().close();
  const forged = await open('forged');
  await click(forged, '[data-testid=join]:enabled');
  say('refuses', { refused, forged: await says(forged, '[data-testid=ended] [role=alert]') });
  await forged.context().close();

  const hall = await (await browser.newContext({ bypassCSP: true })).newPage();
  hall.setDefaultTimeout(hang);
  await hall.goto(`${url}/`);
  await hall.click('h1');
  await hall.addScriptTag({ content: readFileSync(`${dist}/rivus-web.js`, 'utf8') });
  const members = Object.entries(crowd);
  await gather(hall, members.slice(0, 4));
  await sees(alice, members[3][0]);
  await layouts(alice, 5);
  await gather(hall, members.slice(4));
  await sees(alice, members.at(-1)[0]);
  await layouts(alice, 12);
  say('end', { problems });
} catch (e) {
  const pages = browser.contexts().flatMap((c) => c.pages());
  if (shots) await Promise.all(pages.map((p, i) => p.screenshot({ path: `${shots}/failed-${i}.png` }).catch(() => {})));
  say('failed', { error: String(e), problems });
} finally {
  await browser.close();
}
