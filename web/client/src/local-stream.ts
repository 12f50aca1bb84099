import { LocalStageStreamEvents } from './enums.js';
import type { SimulcastLayer } from './simulcast.js';
import { StageStream } from './stream.js';

/** How to send a track. Video takes the first group, audio the second. */
export interface LocalStageStreamConfig {
  /** kbit/s. */
  minBitrate?: number;
  /** kbit/s; 2500 when not given. */
  maxBitrate?: number;
  /** 30 when not given. */
  maxFramerate?: number;
  /** Off when not given. At most three layers. */
  simulcast?: { enabled?: boolean; layers?: SimulcastLayer[] };
  /** Lets insertSeiMessage work. */
  inBandMessaging?: { enabled?: boolean };

  /** kbit/s; 64 when not given. */
  maxAudioBitrateKbps?: number;
  stereo?: boolean;
}

/** Puts an SEI message into the frames that are sent. */
export type SeiSink = (payload: ArrayBuffer, repeatCount: number) => void;

interface Events {
  [LocalStageStreamEvents.LOCAL_STREAM_MUTE_CHANGED]: [stream: LocalStageStream];
}

const seiMost = 1023; // bytes of one message
const seiMostASecond = 10 * 1024;
const seiMostRepeats = 30;

/** A track of this browser, to be handed out by StageStrategy.stageStreamsToPublish. */
export class LocalStageStream extends StageStream<Events> {
  #muted = false;
  #sei?: SeiSink;
  #inserted: { at: number; bytes: number }[] = [];

  constructor(
    track: MediaStreamTrack,
    readonly mediaConfig: Readonly<LocalStageStreamConfig> = {},
  ) {
    super(track);
  }

  get isMuted(): boolean {
    return this.#muted;
  }

  /** Sends silence or black instead of the track, and tells the others. */
  setMuted(muted: boolean): void {
    if (muted === this.#muted) return;
    this.#muted = muted;
    this.mediaStreamTrack.enabled = !muted;
    this.emit(LocalStageStreamEvents.LOCAL_STREAM_MUTE_CHANGED, this);
  }

  /**
   * Puts a message into the next frame of a published H.264 video, and again into so many after it: receivers then get
   * it as often as it arrives. Throws for a payload that is empty or not below 1 KB, beyond 10 KB a second, and without
   * mediaConfig.inBandMessaging.enabled. It is dropped while nothing is sent.
   */
  insertSeiMessage(payload: ArrayBuffer, { repeatCount = 0 }: { repeatCount?: number } = {}): void {
    if (!this.mediaConfig.inBandMessaging?.enabled) throw new Error('inBandMessaging is not enabled for this stream');
    const { byteLength } = payload;
    if (byteLength === 0 || byteLength > seiMost) {
      throw new RangeError(`an SEI message has 1 to ${seiMost} bytes, not ${byteLength}`);
    }
    if (!Number.isInteger(repeatCount) || repeatCount < 0 || repeatCount > seiMostRepeats) {
      throw new RangeError(`repeatCount is 0 to ${seiMostRepeats}`);
    }
    const now = performance.now();
    this.#inserted = this.#inserted.filter(({ at }) => now - at < 1000);
    const bytes = this.#inserted.reduce((sum, sent) => sum + sent.bytes, byteLength);
    if (bytes > seiMostASecond) throw new RangeError('more than 10 KB of SEI messages in a second');
    this.#inserted.push({ at: now, bytes: byteLength });
    this.#sei?.(payload, repeatCount);
  }

  /** @internal */
  attachSei(sink: SeiSink | undefined): void {
    this.#sei = sink;
  }
}
