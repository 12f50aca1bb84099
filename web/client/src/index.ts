// @rivus/web: join the stages of a Rivus server from a browser.

export {
  InitialLayerPreference,
  JitterBufferMinDelay,
  LocalStageStreamEvents,
  NetworkQuality,
  RemoteStageStreamEvents,
  StageConnectionState,
  StageConnectionState as ConnectionState,
  StageErrorCategory,
  StageErrorCode,
  StageEvents,
  StageLeftReason,
  StageParticipantPublishState,
  StageParticipantSubscribeState,
  StageStreamLayerSelectedReason,
  StreamType,
  SubscribeType,
} from './enums.js';
export { StageError } from './errors.js';
export { LocalStageStream, type LocalStageStreamConfig } from './local-stream.js';
export type { StageParticipantCapability, StageParticipantInfo } from './participant.js';
export type { QualityStats } from './quality.js';
export { RemoteStageStream, type StageStreamLayer } from './remote-stream.js';
export { SimulcastLayerPresets, type SimulcastLayer } from './simulcast.js';
export { Stage } from './stage.js';
export type { StageEventMap } from './stage-events.js';
export type { SeiMessage } from './sei.js';
export type { StageStrategy, SubscribeConfiguration } from './strategy.js';
export { StageStream } from './stream.js';
