import Hls, { type ErrorData, type LevelDetails, type ManifestLoadedData } from 'hls.js/light';
import { readPriv } from './id3';
import { askStatus } from './status';

/**
 * What the player is doing. `offline`: the channel has no stream; the player looks again every few seconds. `missing`:
 * the server has no such channel, or no more.
 */
export type State = 'loading' | 'playing' | 'paused' | 'stalled' | 'offline' | 'ended' | 'missing' | 'refused' | 'unsupported';

/**
 * Pace is how the player keeps to the live edge: `live` at it, `faster` to come back to it, `held` because the viewer
 * went back and stays there.
 */
export type Pace = 'live' | 'faster' | 'held';

/** Jump is one leap to the live edge, with the seconds that were left out. */
export interface Jump {
  at: Date;
  seconds: number;
}

/** Stats is one reading of the player, taken once a second. */
export interface Stats {
  /** Milliseconds from the encoder's clock (PROGRAM-DATE-TIME) to the picture on screen. */
  latencyMs?: number;
  /** Milliseconds of media ahead of the playhead. */
  bufferMs: number;
  width: number;
  height: number;
  fps: number;
  droppedFrames: number;
  /** Bits a second of the rendition, as the playlist tells. */
  bandwidth?: number;
  codecs?: string;
  streamId?: string;
  /** Low-latency parts and whole segments loaded so far. */
  parts: number;
  segments: number;
  lowLatency: boolean;
  pace: Pace;
  /** How many times the player leapt to the live edge because it was too far behind, and the last one. */
  jumps: number;
  lastJump?: Jump;
}

/** Cue is a timed metadata entry at the moment its place in the stream is shown. */
export interface Cue {
  owner: string;
  text: string;
  at: Date;
}

/** Listener receives what happens in the player. */
export interface Listener {
  state(state: State, detail?: string): void;
  stats(stats: Stats): void;
  cue(cue: Cue): void;
}

/** refusal is what a viewer reads who may not watch. */
function refusal(reason?: string): string {
  return reason ? `You cannot watch this channel: ${reason}.` : 'You cannot watch this channel any more.';
}

const retryMs = 2000;
const missingMs = 15_000;

/**
 * Steering: how far behind PART-HOLD-BACK playback may fall before it speeds up, how close it comes back, the least
 * buffer it keeps while it does, all in seconds, and how much faster it plays then: too little to hear.
 */
const steer = { every: 200, start: 0.2, done: 0.08, buffer: 0.45, rate: 1.06 };

/**
 * Jumping: how many seconds more than the server's hold-back playback may be behind before it leaps to the live edge
 * instead of working that off, which would take a minute for every 3.6 s; how many target durations more without
 * low latency; the least worth a leap; and how long one is given to show before the next.
 */
export const jump = { behind: 3, targets: 2, least: 1, restMs: 3000 };

/** Going forward to less than so many seconds before the live edge is going there. */
const nearLive = 2;

/** How long a metadata cue stays active: long enough not to fall between two looks of the browser at its cues. */
const cueSeconds = 0.5;

/**
 * Player plays one channel into a video element and goes on by itself: it waits for a channel that is offline, picks
 * up the next stream after one has ended, and recovers from media errors.
 */
export class Player {
  private hls?: Hls;
  private retry?: number;
  private readonly ticker: number;
  private readonly steering: number;
  /** Server clock minus local clock in ms, from SERVER-TIME of the multivariant playlist. */
  private clockOffset = 0;
  private streamId?: string;
  /** The tracks of the stream as hls.js names its buffers. */
  private tracks = '';
  private parts = 0;
  private segments = 0;
  private lastFrames = { at: 0, count: 0 };
  private shown: State | undefined;
  private readonly track: TextTrack;
  /** Ends the question for the channel's state. */
  private asking?: AbortController;
  /** The media time of the picture on screen, where the browser tells. */
  private picture?: number;
  private pictures = 0;
  /** The viewer went back: no steering until they go live again. */
  private held = false;
  private jumps = 0;
  private lastJump?: Jump;
  private jumpedAt = -Infinity;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly url: string,
    private readonly token: string | undefined,
    private readonly listener: Listener,
  ) {
    this.track = video.addTextTrack('metadata', 'timed metadata');
    this.track.mode = 'hidden';
    this.ticker = window.setInterval(() => this.tick(), 1000);
    this.steering = window.setInterval(() => this.steer(), steer.every);
    this.video.addEventListener('playing', this.onPlaying);
    this.video.addEventListener('waiting', this.onWaiting);
    this.video.addEventListener('ended', this.onEnded);
    this.video.addEventListener('pause', this.onPause);
    this.watchPictures();
    void this.look();
  }

  /** destroy releases everything; the player is of no use afterwards. */
  destroy(): void {
    window.clearInterval(this.ticker);
    window.clearInterval(this.steering);
    window.clearTimeout(this.retry);
    this.video.removeEventListener('playing', this.onPlaying);
    this.video.removeEventListener('waiting', this.onWaiting);
    this.video.removeEventListener('ended', this.onEnded);
    this.video.removeEventListener('pause', this.onPause);
    this.video.cancelVideoFrameCallback?.(this.pictures);
    this.asking?.abort();
    this.hls?.destroy();
  }

  /** goLive jumps to the newest place that can be played without a stall. */
  goLive(): void {
    this.held = false;
    const live = this.hls?.liveSyncPosition;
    if (live) this.video.currentTime = live;
    this.play();
  }

  /** toggle pauses, or goes on at the live edge: a live stream that is paused has nothing to go on from for long. */
  toggle(): void {
    if (this.video.paused) this.goLive();
    else this.video.pause();
  }

  /** skip moves by some seconds inside what can be played, and stays there: going back is no falling behind. */
  skip(seconds: number): void {
    const { seekable, currentTime } = this.video;
    const live = this.hls?.liveSyncPosition;
    if (!seekable.length || !live) return;
    const to = Math.max(seekable.start(0), currentTime + seconds);
    if (to > live - nearLive) return this.goLive();
    this.held = true;
    this.video.currentTime = to;
  }

  private play(): void {
    void this.video.play().catch(() => this.video.paused && this.hls && this.show('paused'));
  }

  private readonly onPlaying = () => this.show('playing');
  private readonly onWaiting = () => this.shown !== 'refused' && this.show('stalled');
  private readonly onEnded = () => this.again('ended');
  // A stream that ends pauses as well, and so does one that is torn down.
  private readonly onPause = () => this.shown === 'playing' && !this.video.ended && this.show('paused');

  /** watchPictures notes the media time of every picture that is shown. */
  private watchPictures(): void {
    if (!this.video.requestVideoFrameCallback) return;
    const note = (_: number, shown: VideoFrameCallbackMetadata) => {
      this.picture = shown.mediaTime;
      this.pictures = this.video.requestVideoFrameCallback(note);
    };
    this.pictures = this.video.requestVideoFrameCallback(note);
  }

  /** look asks how the channel is, plays it when it is live, and looks again later when it is not. */
  private async look(): Promise<void> {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const { state, reason } = await askStatus(this.url, this.token, asking.signal);
    if (asking.signal.aborted) return;
    switch (state) {
      case 'live':
        return this.open();
      case 'offline':
        return this.again(this.shown === 'ended' ? 'ended' : 'offline');
      case 'unknown':
        return this.again('missing', undefined, missingMs);
      case 'private':
        return this.show('refused', 'This channel is private: it is watched with a token.');
      case 'refused':
        return this.show('refused', refusal(reason));
      case 'unanswered':
        return this.again('stalled', 'The server does not answer. Trying again.');
    }
  }

  /** refuse ends playback for a viewer who may not watch, or no more, and says why if the server does. */
  private async refuse(): Promise<void> {
    this.hls?.destroy();
    this.hls = undefined;
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const { reason } = await askStatus(this.url, this.token, asking.signal);
    if (!asking.signal.aborted) this.show('refused', refusal(reason));
  }

  /** playlist is what the player loads: the token goes to the multivariant playlist and nowhere else. */
  private get playlist(): string {
    return this.token ? `${this.url}?token=${encodeURIComponent(this.token)}` : this.url;
  }

  private show(state: State, detail?: string): void {
    if (state === this.shown && !detail) return;
    this.shown = state;
    this.listener.state(state, detail);
  }

  private open(): void {
    this.hls?.destroy();
    this.picture = undefined;
    this.held = false;
    this.parts = this.segments = 0;
    this.tracks = '';
    this.clearPlan();
    // Chromium answers "maybe" for native HLS, so hls.js comes first wherever Media Source Extensions exist.
    if (!Hls.isSupported()) {
      this.openNative();
      return;
    }
    this.show('loading');
    const hls = new Hls({
      lowLatencyMode: true,
      liveDurationInfinity: true,
      backBufferLength: 30,
      enableID3MetadataCues: false, // see plan
      enableEmsgMetadataCues: false,
      manifestLoadPolicy: {
        default: { maxTimeToFirstByteMs: 10000, maxLoadTimeMs: 20000, timeoutRetry: null, errorRetry: null },
      },
    });
    this.hls = hls;
    hls.on(Hls.Events.MANIFEST_LOADED, (_, data) => this.onManifest(data));
    hls.on(Hls.Events.MANIFEST_PARSED, () => this.play());
    hls.on(Hls.Events.FRAG_LOADED, (_, { part }) => (part ? this.parts++ : this.segments++));
    hls.on(Hls.Events.ERROR, (_, data) => this.onError(data));
    hls.on(Hls.Events.BUFFER_CODECS, (_, tracks) => this.onTracks(Object.keys(tracks).sort().join()));
    hls.on(Hls.Events.FRAG_PARSING_METADATA, (_, { samples }) => this.plan(samples));
    hls.loadSource(this.playlist);
    hls.attachMedia(this.video);
  }

  private openNative(): void {
    if (!this.video.canPlayType('application/vnd.apple.mpegurl')) {
      this.show('unsupported', 'This browser can play neither Media Source Extensions nor HLS.');
      return;
    }
    this.video.src = this.playlist;
    this.video.onerror = () => this.again('offline');
    void this.video.play().catch(() => this.show('paused'));
  }

  private again(state: State, detail?: string, wait = retryMs): void {
    this.show(state, detail);
    window.clearTimeout(this.retry);
    this.retry = window.setTimeout(() => void this.look(), wait);
  }

  private onManifest(data: ManifestLoadedData): void {
    const serverTime = Number(data.sessionData?.['SERVER-TIME']?.VALUE);
    if (serverTime > 0) this.clockOffset = serverTime * 1000 - Date.now();
    this.streamId = data.sessionData?.['BROADCAST-ID']?.VALUE;
  }

  /** onTracks begins anew when sound or pictures come to a running stream: buffers cannot be added to one. */
  private onTracks(tracks: string): void {
    const before = this.tracks;
    this.tracks = tracks;
    if (before && before !== tracks) this.again('stalled', 'the stream has other tracks now');
  }

  private onError(data: ErrorData): void {
    if (!data.fatal) return;
    const status = data.response?.code;
    if (status === 403) return void this.refuse();
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR) return this.hls?.recoverMediaError();
    this.again('stalled', 'The connection to the server is interrupted. Trying again.');
  }

  /**
   * plan puts the metadata of a fragment that was just parsed on the track, from where it fires when its picture is shown.
   *
   * hls.js can do this by itself, but it makes its track for the first cue and the browser empties a track whose source
   * it is still loading: the first cue of every stream would be lost.
   */
  private plan(samples: { pts: number; data: Uint8Array }[]): void {
    for (const { pts, data } of samples) {
      for (const { owner, text } of readPriv(data)) {
        const id = `${pts.toFixed(3)} ${owner} ${text}`; // the same place may be loaded as a part and as a segment
        if (this.track.cues?.getCueById(id)) continue;
        const cue = new VTTCue(pts, pts + cueSeconds, text);
        cue.id = id;
        cue.onenter = () => this.listener.cue({ owner, text, at: new Date() });
        this.track.addCue(cue);
      }
    }
  }

  private clearPlan(): void {
    for (const cue of [...(this.track.cues ?? [])]) this.track.removeCue(cue);
  }

  private details(): LevelDetails | undefined {
    const { hls } = this;
    return (hls && hls.currentLevel >= 0 ? hls.levels[hls.currentLevel] : hls?.levels[0])?.details;
  }

  /**
   * latency returns the seconds from the encoder's clock to the picture on screen, while it plays. The playhead runs ahead
   * of the picture by what the browser holds decoded; a picture far from it is of another place, or of a time when the page
   * was hidden, and the playhead has to do.
   */
  private latency(): number | undefined {
    const date = this.hls?.playingDate;
    if (!date || this.video.paused) return undefined;
    const ahead = this.picture === undefined ? 0 : this.video.currentTime - this.picture;
    const shown = date.getTime() - (Math.abs(ahead) < 1 ? ahead * 1000 : 0);
    return (Date.now() + this.clockOffset - shown) / 1000;
  }

  /** buffered returns the seconds of media ahead of the playhead. */
  private buffered(): number {
    const { buffered, currentTime } = this.video;
    return buffered.length ? Math.max(0, buffered.end(buffered.length - 1) - currentTime) : 0;
  }

  /**
   * steer keeps playback close to the hold-back, the least distance that the server allows. Far behind it leaps there; with
   * low latency and a little behind, after a stall or a late start, it plays a little faster until it is there. (hls.js
   * does so only with more than a second of buffer.)
   */
  private steer(): void {
    const details = this.details();
    const latency = this.latency();
    if (!details || latency === undefined || this.held || this.video.seeking) {
      this.video.playbackRate = 1;
      return;
    }
    const { partHoldBack, holdBack, targetduration } = details;
    const low = partHoldBack > 0;
    const behind = latency - (low ? partHoldBack : holdBack || 3 * targetduration);
    if (behind > (low ? jump.behind : jump.targets * targetduration) && this.leap()) return;
    const buffer = this.buffered();
    if (!low) return;
    if (this.video.playbackRate === 1) {
      if (behind > steer.start && buffer > steer.buffer + 0.1) this.video.playbackRate = steer.rate;
    } else if (behind < steer.done || buffer < steer.buffer) {
      this.video.playbackRate = 1;
    }
  }

  /** leap goes to the live edge, as far as the playlist tells where that is, and reports whether that was worth it. */
  private leap(): boolean {
    const live = this.hls?.liveSyncPosition;
    const now = performance.now();
    if (!live || now - this.jumpedAt < jump.restMs) return false;
    const seconds = live - this.video.currentTime;
    if (seconds < jump.least) return false;
    this.jumpedAt = now;
    this.jumps++;
    this.lastJump = { at: new Date(), seconds };
    this.video.playbackRate = 1;
    this.video.currentTime = live;
    return true;
  }

  private pace(): Pace {
    if (this.held) return 'held';
    return this.video.playbackRate > 1 ? 'faster' : 'live';
  }

  private tick(): void {
    const { video, hls } = this;
    const quality = video.getVideoPlaybackQuality();
    const now = performance.now();
    const elapsed = (now - this.lastFrames.at) / 1000;
    const fps = this.lastFrames.at ? Math.max(0, (quality.totalVideoFrames - this.lastFrames.count) / elapsed) : 0;
    this.lastFrames = { at: now, count: quality.totalVideoFrames };
    const level = hls && hls.currentLevel >= 0 ? hls.levels[hls.currentLevel] : hls?.levels[0];
    const latency = this.latency();
    this.listener.stats({
      latencyMs: latency === undefined ? undefined : latency * 1000,
      bufferMs: this.buffered() * 1000,
      width: video.videoWidth,
      height: video.videoHeight,
      fps,
      droppedFrames: quality.droppedVideoFrames,
      bandwidth: level?.bitrate,
      codecs: level ? [level.videoCodec, level.audioCodec].filter(Boolean).join(', ') : undefined,
      streamId: this.streamId,
      parts: this.parts,
      segments: this.segments,
      lowLatency: Boolean(level?.details?.partTarget),
      pace: this.pace(),
      jumps: this.jumps,
      lastJump: this.lastJump,
    });
  }
}
