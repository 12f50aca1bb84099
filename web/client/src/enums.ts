// The enumerations of the documented interface. Their string values are documented where the comment does not say
// otherwise; values that no document gives are ours, so compare with the members, not with strings.

/** Events of a Stage. */
export enum StageEvents {
  ERROR = 'error',
  STAGE_CONNECTION_STATE_CHANGED = 'stageConnectionStateChanged',
  STAGE_LEFT = 'stageLeft',
  STAGE_PARTICIPANT_JOINED = 'stageParticipantJoined',
  STAGE_PARTICIPANT_LEFT = 'stageParticipantLeft',
  STAGE_PARTICIPANT_METADATA_CHANGED = 'stageParticipantMetadataChanged',
  STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED = 'stageParticipantPublishStateChanged',
  STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED = 'stageParticipantSubscribeStateChanged',
  STAGE_PARTICIPANT_STREAMS_ADDED = 'stageParticipantStreamsAdded',
  STAGE_PARTICIPANT_STREAMS_REMOVED = 'stageParticipantStreamsRemoved',
  STAGE_STREAM_MUTE_CHANGED = 'stageStreamMuteChanged',
  STAGE_STREAM_ADAPTION_CHANGED = 'stageStreamAdaptionChanged',
  STAGE_STREAM_LAYERS_CHANGED = 'stageStreamLayersChanged',
  STAGE_STREAM_LAYER_SELECTED = 'stageStreamLayerSelected',
  STAGE_STREAM_SEI_MESSAGE_RECEIVED = 'stageStreamSeiMessageReceived',
}

/** Events of a LocalStageStream. */
export enum LocalStageStreamEvents {
  LOCAL_STREAM_MUTE_CHANGED = 'localStreamMuteChanged',
}

/** Events of a RemoteStageStream. */
export enum RemoteStageStreamEvents {
  ADAPTION_CHANGED = 'adaptionChanged',
  LAYERS_CHANGED = 'layersChanged',
  LAYER_SELECTED = 'layerSelected',
}

/** Whether the stage is there. ERRORED after CONNECTED heals by itself, or ends in DISCONNECTED after half a minute. */
export enum StageConnectionState {
  DISCONNECTED = 'disconnected',
  CONNECTING = 'connecting',
  CONNECTED = 'connected',
  ERRORED = 'errored',
}

/** Whether a participant can be seen and heard by others. */
export enum StageParticipantPublishState {
  NOT_PUBLISHED = 'notPublished',
  ATTEMPTING_PUBLISH = 'attemptingPublish',
  PUBLISHED = 'published',
  ERRORED = 'errored',
}

/** Whether this client sees and hears a participant. */
export enum StageParticipantSubscribeState {
  NOT_SUBSCRIBED = 'notSubscribed',
  ATTEMPTING_SUBSCRIBE = 'attemptingSubscribe',
  SUBSCRIBED = 'subscribed',
  ERRORED = 'errored',
}

/** Why this client is not on the stage any more. */
export enum StageLeftReason {
  /** leave() was called. */
  USER_INITIATED = 'userInitiated',
  /** Somebody called DisconnectParticipant; the token is of no use any more. */
  PARTICIPANT_DISCONNECTED = 'participantDisconnected',
  STAGE_DELETED = 'stageDeleted',
  /** The same token has joined from somewhere else. */
  PARTICIPANT_REPLACED = 'participantReplaced',
  /** The token has expired while the connection was lost, or is refused for another reason. */
  TOKEN_REFUSED = 'tokenRefused',
  /** The connection was lost for too long. */
  CONNECTION_LOST = 'connectionLost',
}

/** What to receive of a participant. */
export enum SubscribeType {
  NONE = 'none',
  AUDIO_ONLY = 'audioOnly',
  AUDIO_VIDEO = 'audioVideo',
}

/** What a stream carries. */
export enum StreamType {
  VIDEO = 'video',
  AUDIO = 'audio',
}

/** Which simulcast layer a subscription begins with. */
export enum InitialLayerPreference {
  LOWEST_QUALITY = 'lowestQuality',
  HIGHEST_QUALITY = 'highestQuality',
}

/** Why a layer was selected. */
export enum StageStreamLayerSelectedReason {
  /** What the network carries. */
  NETWORK = 'network',
  /** What preferredLayerForStream wants. */
  PREFERRED = 'preferred',
  /** What preferredLayerForStream wants cannot be had; the layer is the one that is received instead. */
  UNAVAILABLE = 'unavailable',
}

/** How long received media waits at least before it is played, in milliseconds; 0 leaves it to the browser. */
export enum JitterBufferMinDelay {
  DEFAULT = 0,
  LOW = 100,
  MEDIUM = 200,
  HIGH = 400,
}

/** How good a connection is. */
export enum NetworkQuality {
  DOWN = 0,
  POOR = 1,
  NORMAL = 2,
  GOOD = 3,
  EXCELLENT = 4,
}

/** What failed. */
export enum StageErrorCategory {
  JOIN_ERROR = 'JOIN_ERROR',
  PUBLISH_ERROR = 'PUBLISH_ERROR',
  SUBSCRIBE_ERROR = 'SUBSCRIBE_ERROR',
}

/** Why it failed. */
export enum StageErrorCode {
  TOKEN_MALFORMED = 1,
  TOKEN_EXPIRED = 2,
  TIMEOUT = 3,
  FAILED = 4,
  CANCELED = 5,
  STAGE_AT_CAPACITY = 6,
  CODEC_MISMATCH = 7,
  TOKEN_NOT_ALLOWED = 8,
  STAGE_DELETED = 9,
  PARTICIPANT_DISCONNECTED = 10,
  /** The number is ours: no document gives one. */
  TOKEN_EXCHANGE_FAILED = 1100,
}
