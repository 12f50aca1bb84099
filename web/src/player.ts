import Hls, { type ErrorData, type LevelDetails, type ManifestLoadedData } from 'hls.js/light';
import { readPriv } from './id3';

/** What the player is doing. `offline`: the channel has no stream; the player looks again every few seconds. */
export type State = 'loading' | 'playing' | 'stalled' | 'offline' | 'ended' | 'refused' | 'unsupported';

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

const retryMs = 2000;

/**
 * Steering: how far behind PART-HOLD-BACK playback may fall before it speeds up, how close it comes back, the least
 * buffer it keeps while it does, all in seconds, and how much faster it plays then: too little to hear.
 */
const steer = { every: 200, start: 0.2, done: 0.08, buffer: 0.45, rate: 1.06 };

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

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly url: string,
    private readonly listener: Listener,
  ) {
    this.track = video.addTextTrack('metadata', 'timed metadata');
    this.track.mode = 'hidden';
    this.ticker = window.setInterval(() => this.tick(), 1000);
    this.steering = window.setInterval(() => this.steer(), steer.every);
    this.video.addEventListener('playing', this.onPlaying);
    this.video.addEventListener('waiting', this.onWaiting);
    this.video.addEventListener('ended', this.onEnded);
    this.open();
  }

  /** destroy releases everything; the player is of no use afterwards. */
  destroy(): void {
    window.clearInterval(this.ticker);
    window.clearInterval(this.steering);
    window.clearTimeout(this.retry);
    this.video.removeEventListener('playing', this.onPlaying);
    this.video.removeEventListener('waiting', this.onWaiting);
    this.video.removeEventListener('ended', this.onEnded);
    this.hls?.destroy();
  }

  /** goLive jumps to the newest place that can be played without a stall. */
  goLive(): void {
    const live = this.hls?.liveSyncPosition;
    if (live) this.video.currentTime = live;
    void this.video.play();
  }

  private readonly onPlaying = () => this.show('playing');
  private readonly onWaiting = () => this.show('stalled');
  private readonly onEnded = () => this.again('ended');

  private show(state: State, detail?: string): void {
    if (state === this.shown && !detail) return;
    this.shown = state;
    this.listener.state(state, detail);
  }

  private open(): void {
    this.hls?.destroy();
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
    hls.on(Hls.Events.MANIFEST_PARSED, () => void this.video.play().catch(() => this.show('stalled', 'press play')));
    hls.on(Hls.Events.FRAG_LOADED, (_, { part }) => (part ? this.parts++ : this.segments++));
    hls.on(Hls.Events.ERROR, (_, data) => this.onError(data));
    hls.on(Hls.Events.BUFFER_CODECS, (_, tracks) => this.onTracks(Object.keys(tracks).sort().join()));
    hls.on(Hls.Events.FRAG_PARSING_METADATA, (_, { samples }) => this.plan(samples));
    hls.loadSource(this.url);
    hls.attachMedia(this.video);
  }

  private openNative(): void {
    if (!this.video.canPlayType('application/vnd.apple.mpegurl')) {
      this.show('unsupported', 'This browser can play neither Media Source Extensions nor HLS.');
      return;
    }
    this.video.src = this.url;
    this.video.onerror = () => this.again('offline');
    void this.video.play().catch(() => this.show('stalled', 'press play'));
  }

  private again(state: State, detail?: string): void {
    this.show(state, detail);
    window.clearTimeout(this.retry);
    this.retry = window.setTimeout(() => this.open(), retryMs);
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
    if (status === 403) return this.show('refused', 'The channel is private.');
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR) return this.hls?.recoverMediaError();
    this.again(status === 404 ? 'offline' : 'stalled', status === 404 ? undefined : data.details);
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

  /** latency returns the seconds from the encoder's clock to the picture on screen, while it plays. */
  private latency(): number | undefined {
    const date = this.hls?.playingDate;
    return date && !this.video.paused ? (Date.now() + this.clockOffset - date.getTime()) / 1000 : undefined;
  }

  /** buffered returns the seconds of media ahead of the playhead. */
  private buffered(): number {
    const { buffered, currentTime } = this.video;
    return buffered.length ? Math.max(0, buffered.end(buffered.length - 1) - currentTime) : 0;
  }

  /**
   * steer keeps low-latency playback close to PART-HOLD-BACK, the least distance that the server allows: after a stall or
   * a late start it plays a little faster until it is there. (hls.js does so only with more than a second of buffer.)
   */
  private steer(): void {
    const holdBack = this.details()?.partHoldBack;
    const latency = this.latency();
    if (!holdBack || latency === undefined) {
      this.video.playbackRate = 1;
      return;
    }
    const behind = latency - holdBack;
    const buffer = this.buffered();
    if (this.video.playbackRate === 1) {
      if (behind > steer.start && buffer > steer.buffer + 0.1) this.video.playbackRate = steer.rate;
    } else if (behind < steer.done || buffer < steer.buffer) {
      this.video.playbackRate = 1;
    }
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
    });
  }
}
