import { Emitter } from './emitter.js';
import type {
  StageConnectionState,
  StageEvents,
  StageLeftReason,
  StageParticipantPublishState,
  StageParticipantSubscribeState,
  StageStreamLayerSelectedReason,
} from './enums.js';
import type { StageError } from './errors.js';
import type { LocalStageStream } from './local-stream.js';
import type { StageParticipantInfo } from './participant.js';
import type { RemoteStageStream, StageStreamLayer } from './remote-stream.js';
import type { StageStrategy } from './strategy.js';

/** An SEI message (user data unregistered, H.264 annex D.1.7) as it came. */
export interface SeiMessage {
  payload: ArrayBuffer;
  /** With dashes, in lower case. */
  uuid: string;
}

/** What the listeners of each event get. */
export interface StageEventMap {
  [StageEvents.ERROR]: [error: StageError];
  [StageEvents.STAGE_CONNECTION_STATE_CHANGED]: [state: StageConnectionState];
  [StageEvents.STAGE_LEFT]: [reason: StageLeftReason];
  [StageEvents.STAGE_PARTICIPANT_JOINED]: [participant: StageParticipantInfo];
  [StageEvents.STAGE_PARTICIPANT_LEFT]: [participant: StageParticipantInfo];
  [StageEvents.STAGE_PARTICIPANT_METADATA_CHANGED]: [participant: StageParticipantInfo];
  [StageEvents.STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED]: [participant: StageParticipantInfo, state: StageParticipantPublishState];
  [StageEvents.STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED]: [participant: StageParticipantInfo, state: StageParticipantSubscribeState];
  [StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED]: [participant: StageParticipantInfo, streams: (LocalStageStream | RemoteStageStream)[]];
  [StageEvents.STAGE_PARTICIPANT_STREAMS_REMOVED]: [participant: StageParticipantInfo, streams: (LocalStageStream | RemoteStageStream)[]];
  [StageEvents.STAGE_STREAM_MUTE_CHANGED]: [participant: StageParticipantInfo, stream: LocalStageStream | RemoteStageStream];
  [StageEvents.STAGE_STREAM_ADAPTION_CHANGED]: [participant: StageParticipantInfo, stream: RemoteStageStream, isAdapting: boolean];
  [StageEvents.STAGE_STREAM_LAYERS_CHANGED]: [participant: StageParticipantInfo, stream: RemoteStageStream, layers: StageStreamLayer[]];
  [StageEvents.STAGE_STREAM_LAYER_SELECTED]: [
    participant: StageParticipantInfo,
    stream: RemoteStageStream,
    layer: StageStreamLayer | undefined,
    reason: StageStreamLayerSelectedReason,
  ];
  [StageEvents.STAGE_STREAM_SEI_MESSAGE_RECEIVED]: [participant: StageParticipantInfo, message: SeiMessage];
}

/** A stage, as the holder of one token takes part in it. */
export class Stage extends Emitter<StageEventMap> {
  /** Throws a StageError (TOKEN_MALFORMED) for what is no participant token. */
  constructor(_token: string, _strategy: StageStrategy) {
    super();
  }

  /** Connects. Rejects with a StageError. */
  async join(): Promise<void> {}

  /** Ends everything. The stage can be joined again. */
  leave(): void {}

  /** Asks the strategy again and does what is missing; nothing when nothing has changed. */
  refreshStrategy(): void {}

  /** Asks another strategy from now on. */
  replaceStrategy(_strategy: StageStrategy): void {}

  /** Goes on with another token of the same participant. */
  async exchangeToken(_token: string): Promise<void> {}
}
