// Plays a channel with a player that is not ours, in Chromium, as a page of a stranger would: on another origin, with
// the player's defaults. Prints what the player did as one line of JSON.
//
//   node players.mjs <hls|shaka|videojs> <playback URL> <seconds of media to watch>
//
// A freeze is told by two clocks that stand still when the machine is busy: how much media the channel publishes while
// the picture stands, and how many times the page's own timer runs. The smaller of the two counts.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';
import { busy } from './patience.mjs';

const [, , player, url, seconds = '10'] = process.argv;
const modules = new URL('./node_modules/', import.meta.url);
const scripts = {
  hls: new URL('../../../web/node_modules/hls.js/dist/hls.min.js', import.meta.url),
  shaka: new URL('shaka-player/dist/shaka-player.compiled.js', modules),
  videojs: new URL('video.js/dist/video.min.js', modules),
};
const start = {
  hls: (v, url) => {
    const hls = new Hls();
    window.player = hls;
    hls.on(Hls.Events.ERROR, (_, e) => window.note(e.details + (e.fatal ? ' fatal' : ''), e.fatal));
    hls.loadSource(url);
    hls.attachMedia(v);
    v.play().catch(() => {});
  },
  shaka: async (v, url) => {
    shaka.polyfill.installAll();
    const p = new shaka.Player();
    window.player = p;
    await p.attach(v);
    p.addEventListener('error', (e) => window.note(`shaka ${e.detail.code} ${JSON.stringify(e.detail.data)?.slice(0, 200)}`, e.detail.severity === 2));
    await p.load(url).catch((e) => window.note(`shaka ${e.code} ${String(e.data).slice(0,200)}`, true));
    v.play().catch(() => {});
  },
  videojs: (v, url) => {
    const p = videojs(v, { autoplay: 'muted', muted: true });
    window.player = p;
    p.on('error', () => window.note(`video.js ${p.error()?.code} ${p.error()?.message}`, true));
    p.src({ src: url, type: 'application/x-mpegURL' });
    return Boolean(p.tech(true)?.vhs);
  },
};

const pages = createServer(async (req, res) => {
  if (req.url === '/player.js') {
    res.setHeader('Content-Type', 'text/javascript');
    res.end(await readFile(scripts[player]));
    return;
  }
  res.setHeader('Content-Type', 'text/html');
  res.end('<!doctype html><meta charset="utf-8"><script src="/player.js"></script><video muted playsinline class="video-js" width="640" height="360"></video>');
});
await new Promise((done) => pages.listen(0, '127.0.0.1', done));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--mute-audio', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
    '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
  ],
});

// watch runs in the page.
const watch = async (url, seconds) => {
  const v = document.querySelector('video');
  const out = { first: 0, played: 0, freeze: 0, freezes: [], stalls: 0, jumps: 0, notes: window.notes };
  v.addEventListener('waiting', () => out.stalls++);
  const master = await (await fetch(url, { cache: 'no-store' })).text();
  const list = new URL(master.split('\n').find((l) => l && !l.startsWith('#')), url);
  list.search = '';
  let published = 0; // end of the playlist, seconds
  const follow = async () => {
    const text = await (await fetch(list, { cache: 'no-store' })).text();
    let at = 0, parts = 0;
    for (const line of text.split('\n')) {
      const [, date] = line.match(/^#EXT-X-PROGRAM-DATE-TIME:(.*)/) ?? [];
      if (date) [at, parts] = [Date.parse(date) / 1000, 0];
      parts += Number(line.match(/^#EXT-X-PART:.*DURATION=([\d.]+)/)?.[1] ?? 0);
      const [, length] = line.match(/^#EXTINF:([\d.]+)/) ?? [];
      if (length) [at, parts] = [at + Number(length), 0];
    }
    published = at + parts;
  };
  const began = Date.now();
  let last = v.currentTime, still = 0, since = 0;
  for (;;) {
    await new Promise((done) => setTimeout(done, 100));
    await follow();
    if (v.currentTime === last) still++;
    else {
      const frozen = Math.min(still / 10, published - since);
      if (out.first && frozen > 0.3) out.freezes.push(Number(frozen.toFixed(2)) + '@' + last.toFixed(1));
      if (out.first) out.freeze = Math.max(out.freeze, frozen);
      if (!out.first) out.first = Date.now() - began;
      const step = v.currentTime - last;
      if (step > 1 || step < 0) out.jumps++;
      else out.played += step;
      last = v.currentTime;
      still = 0;
      since = published;
    }
    const frozen = Math.min(still / 10, published - since);
    if (out.played >= seconds || frozen > 15 || window.fatal || Date.now() - began > 90000) {
      out.freeze = Math.max(out.freeze, out.first ? frozen : 0);
      break;
    }
  }
  out.error = v.error ? v.error.message : undefined;
  out.wall = (Date.now() - began) / 1000;
  out.bufferedEnd = v.buffered.length ? v.buffered.end(v.buffered.length - 1) - v.currentTime : -1;
  out.ranges = v.buffered.length;
  out.dropped = v.getVideoPlaybackQuality().droppedVideoFrames;
  return out;
};

const requests = { parts: 0, segments: 0, playlists: 0, failed: [] };
try {
  const page = await browser.newPage({ viewport: { width: 700, height: 400 } });
  page.on('response', (r) => {
    const path = new URL(r.url()).pathname;
    if (r.status() >= 400) requests.failed.push(`${r.status()} ${path}`);
    else if (/\/seg\d+\.\d+\.(m4s|ts)$/.test(path)) requests.parts++;
    else if (/\/seg\d+\.(m4s|ts)$/.test(path)) requests.segments++;
    else if (path.endsWith('.m3u8')) requests.playlists++;
  });
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);
  await page.evaluate(() => {
    window.notes = [];
    window.note = (text, fatal) => { window.notes.push(text); window.fatal ||= fatal; };
  });
  const vhs = await page.evaluate(`(${start[player]})(document.querySelector('video'), ${JSON.stringify(url)})`);
  const seen = await page.evaluate(`(${watch})(${JSON.stringify(url)}, ${Number(seconds)})`);
  console.log(JSON.stringify({ ...seen, player, vhs, requests, busy: busy() }));
} finally {
  await browser.close();
  pages.close();
}
