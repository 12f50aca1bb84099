import { Emitter } from './emitter.js';
import { StreamType } from './enums.js';
import { Meter, type QualityStats } from './quality.js';

/** Where a stream's statistics come from while it is sent or received. */
export interface StatsSource {
  getStats(): Promise<RTCStatsReport>;
}

/** A track of a participant: local or remote. */
export abstract class StageStream<M extends { [K in keyof M]: unknown[] } = Record<never, unknown[]>> extends Emitter<M> {
  readonly streamType: StreamType;
  #source?: StatsSource;
  #meter?: Meter;

  protected constructor(readonly mediaStreamTrack: MediaStreamTrack) {
    super();
    this.streamType = mediaStreamTrack.kind === 'video' ? StreamType.VIDEO : StreamType.AUDIO;
  }

  /** Same as the track's. */
  get id(): string {
    return this.mediaStreamTrack.id;
  }

  abstract get isMuted(): boolean;

  /** The browser's own statistics of this stream; undefined while it is neither sent nor received. */
  async requestRTCStats(): Promise<RTCStatsReport | undefined> {
    return this.#source?.getStats();
  }

  /**
   * What the statistics say: one entry for each layer of a video, one object for audio; undefined while the stream is
   * neither sent nor received. Rates and quality are those since the last call.
   */
  async requestQualityStats(): Promise<QualityStats | QualityStats[] | undefined> {
    const source = this.#source;
    const report = await source?.getStats();
    if (!report || source !== this.#source) return undefined;
    this.#meter ??= new Meter();
    const layers = this.#meter.read(report, this.mediaStreamTrack.kind);
    if (layers.length === 0) return undefined;
    return this.streamType === StreamType.VIDEO ? layers : layers[0];
  }

  /** @deprecated Use requestRTCStats. */
  getStats(): Promise<RTCStatsReport | undefined> {
    return this.requestRTCStats();
  }

  /** Lets go of the connection; the track goes on. */
  cleanup(): void {
    this.attach(undefined);
  }

  /** @internal */
  attach(source: StatsSource | undefined): void {
    this.#source = source;
    this.#meter = undefined;
  }
}
