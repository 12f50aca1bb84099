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
import type { SeiMessage } from './sei.js';

type AnyStream = LocalStageStream | RemoteStageStream;

/** What the listeners of each event of a Stage get. */
export interface StageEventMap {
  [StageEvents.ERROR]: [error: StageError];
  [StageEvents.STAGE_CONNECTION_STATE_CHANGED]: [state: StageConnectionState];
  [StageEvents.STAGE_LEFT]: [reason: StageLeftReason];
  [StageEvents.STAGE_PARTICIPANT_JOINED]: [participant: StageParticipantInfo];
  [StageEvents.STAGE_PARTICIPANT_LEFT]: [participant: StageParticipantInfo];
  [StageEvents.STAGE_PARTICIPANT_METADATA_CHANGED]: [participant: StageParticipantInfo];
  [StageEvents.STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED]: [participant: StageParticipantInfo, state: StageParticipantPublishState];
  [StageEvents.STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED]: [participant: StageParticipantInfo, state: StageParticipantSubscribeState];
  [StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED]: [participant: StageParticipantInfo, streams: AnyStream[]];
  [StageEvents.STAGE_PARTICIPANT_STREAMS_REMOVED]: [participant: StageParticipantInfo, streams: AnyStream[]];
  [StageEvents.STAGE_STREAM_MUTE_CHANGED]: [participant: StageParticipantInfo, stream: AnyStream];
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

/** Calls the listeners of an event. */
export type Emit = <K extends keyof StageEventMap>(event: K, ...args: StageEventMap[K]) => void;
