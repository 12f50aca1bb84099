import { LocalStageStreamEvents } from './enums.js';
import { StageStream } from './stream.js';

/** One simulcast layer. */
export interface SimulcastLayer {
  width: number;
  height: number;
  maxBitrateKbps: number;
  maxFramerate: number;
}

/** The layers that simulcast uses when none are given. */
export const SimulcastLayerPresets: Readonly<Record<'DEFAULT_720' | 'DEFAULT_360' | 'DEFAULT_180', SimulcastLayer>> = {
  DEFAULT_720: { width: 1280, height: 720, maxBitrateKbps: 1700, maxFramerate: 30 },
  DEFAULT_360: { width: 640, height: 360, maxBitrateKbps: 700, maxFramerate: 20 },
  DEFAULT_180: { width: 320, height: 180, maxBitrateKbps: 200, maxFramerate: 15 },
};

/** How to send a track. Video takes the first group, audio the second. */
export interface LocalStageStreamConfig {
  /** kbit/s. */
  minBitrate?: number;
  /** kbit/s; 2500 when not given. */
  maxBitrate?: number;
  /** 30 when not given. */
  maxFramerate?: number;
  /** Off when not given. At most three layers. A change takes effect with the next publication. */
  simulcast?: { enabled?: boolean; layers?: SimulcastLayer[] };
  /** Lets insertSeiMessage work. A change takes effect with the next publication. */
  inBandMessaging?: { enabled?: boolean };

  /** kbit/s; 64 when not given. */
  maxAudioBitrateKbps?: number;
  stereo?: boolean;
}

interface Events {
  [LocalStageStreamEvents.LOCAL_STREAM_MUTE_CHANGED]: [stream: LocalStageStream];
}

/** A track of this browser, to be handed out by StageStrategy.stageStreamsToPublish. */
export class LocalStageStream extends StageStream<Events> {
  #muted = false;

  constructor(
    track: MediaStreamTrack,
    readonly mediaConfig: LocalStageStreamConfig = {},
  ) {
    super(track);
  }

  get isMuted(): boolean {
    return this.#muted;
  }

  /** Sends silence or black instead of the track, and tells the others. */
  setMuted(muted: boolean): void {
    this.#muted = muted;
  }

  /** Puts a message into the next frames of the video: 1 to 1,023 bytes, repeated in repeatCount more frames. */
  insertSeiMessage(_payload: ArrayBuffer, _options?: { repeatCount?: number }): void {}
}
