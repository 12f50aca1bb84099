// The stage page in Chromium: people who meet, mute, pin a layer, reload and are removed; and how a crowd is laid out.
//
//   node stagepage.mjs      RIVUS_PAGE holds {"url", "dist", "tokens": {"alice", "bob", "viewer"}, "crowd": [11 tokens], "shots"}
//
// Each step prints what it saw as a line of JSON. At {"step": "kick"} the caller disconnects bob.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const { url, dist, tokens, crowd, shots } = JSON.parse(process.env.RIVUS_PAGE);
// No flag here lets sound play before a click: that is part of what is looked at.
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
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
const limit = { timeout: 20_000 };

/** Keeps the peer connections of a page where the statistics are found. */
const watchConnections = () => {
  window.connections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      window.connections.push(this);
    }
  };
};

async function open(user, options = {}) {
  const context = await browser.newContext({ viewport: sizes.wide, permissions: ['camera', 'microphone'], ...options });
  const page = await context.newPage();
  page.on('console', (m) => {
    // A session that the server has ended first is not there to be deleted: 404, and no harm.
    const gone = / 404 /.test(m.text()) && m.location().url.includes('/rt/whip/session/');
    if (m.type() === 'error' && !gone) problems.push(`${user}: ${m.text()} ${m.location().url}`);
  });
  page.on('pageerror', (e) => problems.push(`${user}: ${e}`));
  await page.addInitScript(watchConnections);
  await page.goto(`${url}/stage#token=${tokens[user]}`);
  return page;
}

async function join(page) {
  await page.click('[data-testid=join]:enabled', limit);
  await page.waitForFunction(() => document.querySelector('[data-testid=state]')?.textContent === 'on stage', undefined, limit);
}

const tile = (user) => `[data-testid=tile][data-name="${user}"]`;

/** Waits until the picture of somebody moves on a page, and returns its width. */
async function sees(page, user) {
  const frames = (selector) => document.querySelector(`${selector} video`)?.getVideoPlaybackQuality().totalVideoFrames;
  await page.waitForFunction(frames, tile(user), limit);
  const before = await page.evaluate(frames, tile(user));
  await page.waitForFunction(
    ({ selector, before }) => document.querySelector(`${selector} video`)?.getVideoPlaybackQuality().totalVideoFrames > before + 10,
    { selector: tile(user), before }, limit,
  );
  return page.evaluate((selector) => document.querySelector(`${selector} video`).videoWidth, tile(user));
}

/** Waits until a page has received sound. */
async function hears(page) {
  for (const end = Date.now() + limit.timeout; Date.now() < end; await page.waitForTimeout(100)) {
    const energy = await page.evaluate(async () => {
      const reports = await Promise.all(window.connections.map((pc) => pc.getStats()));
      const rows = reports.flatMap((r) => [...r.values()]).filter((r) => r.type === 'inbound-rtp' && r.kind === 'audio');
      return rows.reduce((sum, r) => sum + (r.totalAudioEnergy ?? 0), 0);
    });
    if (energy > 0) return energy;
  }
  throw new Error('no sound was received');
}

/** Measures how the tiles lie, in every size of window. */
async function layouts(page, people, names = Object.keys(sizes)) {
  for (const name of names) {
    await page.setViewportSize(sizes[name]);
    await page.waitForFunction(
      (n) => [...document.querySelectorAll('[data-testid=tile]')].filter((t) => t.getBoundingClientRect().width > 40).length === n,
      people, limit,
    );
    await page.waitForTimeout(300); // the window's new size has reached the page; a picture is drawn
    say('layout', { size: name, people, ...(await page.evaluate(measure)) });
    if (shots) await page.screenshot({ path: `${shots}/stage-${name}-${people}.png` });
  }
  await page.setViewportSize(sizes.wide);
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

try {
  const alice = await open('alice');
  await alice.waitForSelector('[data-testid=join]:enabled', limit);
  const address = await path(alice);
  if (shots) await alice.screenshot({ path: `${shots}/stage-lobby.png` });
  await join(alice);
  await sees(alice, 'alice');
  await layouts(alice, 1);

  const bob = await open('bob');
  await join(bob);
  const widths = [await sees(alice, 'bob'), await sees(bob, 'alice')];
  const energy = [await hears(alice), await hears(bob)];
  say('meets', { address, widths, energy });
  await layouts(alice, 2, ['wide', 'upright']);

  await bob.click('.bar button:has-text("Microphone")');
  await alice.waitForSelector(`${tile('bob')} .unseen:has-text("is muted")`, { ...limit, state: 'attached' });
  await bob.click('.bar button:has-text("Camera")');
  await alice.waitForSelector(`${tile('bob')} .initials`, limit);
  say('mutes');
  await bob.click('.bar button:has-text("Camera")');

  await alice.click('.bar button:has-text("Figures")');
  await alice.click(`${tile('bob')} .details-button`);
  await alice.getByRole('radio', { name: /^Low/ }).click(limit);
  await alice.waitForFunction((s) => document.querySelector(`${s} video`)?.videoWidth === 320, tile('bob'), limit);
  await alice.waitForFunction(() => /\d ms/.test(document.querySelector('[data-testid=delay]')?.textContent), undefined, limit);
  if (shots) await alice.screenshot({ path: `${shots}/stage-details.png` });
  const delay = await alice.textContent('[data-testid=delay]');
  await alice.getByLabel('Sound only').click();
  await alice.waitForSelector(`${tile('bob')} .initials`, limit);
  await alice.keyboard.press('Escape');
  await alice.waitForSelector('[data-testid=details]', { ...limit, state: 'detached' });
  const focused = await alice.evaluate(() => document.activeElement.getAttribute('aria-label'));
  say('pins', { delay: delay.trim(), focused });

  const viewer = await open('viewer');
  await join(viewer);
  await sees(viewer, 'alice');
  const begin = Date.now();
  await viewer.reload();
  await viewer.waitForFunction(() => document.querySelector('[data-testid=state]')?.textContent === 'on stage', undefined, limit);
  const back = Date.now() - begin;
  await sees(viewer, 'alice');
  // The same in another tab, where nobody has clicked yet: sound waits for that, and the first tab is told.
  const memory = await viewer.evaluate(() => ({ ...sessionStorage }));
  const second = await viewer.context().newPage();
  await second.addInitScript(watchConnections);
  await second.addInitScript((memory) => {
    if (sessionStorage.length === 0) Object.assign(sessionStorage, memory);
    const told = () => document.querySelector('.unmute') && console.log('silent');
    new MutationObserver(told).observe(document, { childList: true, subtree: true });
  }, memory);
  // Whatever Playwright evaluates counts as a click, so the page has to speak for itself.
  const silent = second.waitForEvent('console', { ...limit, predicate: (m) => m.text() === 'silent' });
  await second.goto(`${url}/stage`);
  await silent;
  if (shots) await second.screenshot({ path: `${shots}/stage-unmute.png` });
  const replaced = await viewer.textContent('[data-testid=ended] h1', limit);
  await second.click('.unmute');
  await second.waitForSelector('.unmute', { ...limit, state: 'detached' });
  await hears(second);
  await second.click('.bar button:has-text("Leave")');
  const left = await second.textContent('[data-testid=ended] h1', limit);
  const stored = await second.evaluate(() => [sessionStorage.length, localStorage.length]);
  await alice.reload();
  await sees(bob, 'alice');
  say('reloads', { back, replaced, left, stored });

  say('kick');
  const ended = await bob.textContent('[data-testid=ended] [role=alert]', limit);
  await bob.reload();
  await bob.waitForSelector('input[aria-label="Participant token"]', limit);
  say('kicked', { ended });
  for (const page of [bob, viewer]) await page.context().close();

  const stranger = await open('stranger');
  const refused = await stranger.textContent('[role=alert]', limit);
  await stranger.context().close();
  const forged = await open('forged');
  await forged.click('[data-testid=join]:enabled', limit);
  say('refuses', { refused, forged: await forged.textContent('[data-testid=ended] [role=alert]', limit) });
  await forged.context().close();

  const hall = await (await browser.newContext({ bypassCSP: true })).newPage();
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
