import type { InitialLayerPreference, JitterBufferMinDelay, SubscribeType } from './enums.js';
import type { LocalStageStream } from './local-stream.js';
import type { StageParticipantInfo } from './participant.js';
import type { RemoteStageStream, StageStreamLayer } from './remote-stream.js';

/** How to receive a participant. Members that are not given have their defaults. */
export interface SubscribeConfiguration {
  /** Counts while this client publishes nothing itself. */
  jitterBuffer?: { minDelay?: JitterBufferMinDelay };
  /** Reads SEI messages out of the video; takes effect with the next subscription. */
  inBandMessaging?: { enabled?: boolean };
  /** Takes effect with the next subscription. */
  simulcast?: { initialLayerPreference?: InitialLayerPreference };
}

/**
 * What the application wants. A Stage asks whenever something has changed, and when refreshStrategy is called, and does
 * what is missing.
 */
export interface StageStrategy {
  /** What to publish: at most one audio and one video stream; nothing when empty. */
  stageStreamsToPublish(): LocalStageStream[];
  /** Asked for the local participant only, and only when its token allows to publish. */
  shouldPublishParticipant(participant: StageParticipantInfo): boolean;
  /** What to receive of a participant once it publishes. */
  shouldSubscribeToParticipant(participant: StageParticipantInfo): SubscribeType;
  subscribeConfiguration?(participant: StageParticipantInfo): SubscribeConfiguration | undefined;
  /** The layer to receive of a simulcast stream: one of its layers, or a label; nothing leaves it to the network. */
  preferredLayerForStream?(
    participant: StageParticipantInfo,
    stream: RemoteStageStream,
  ): StageStreamLayer | string | null | undefined;
}
