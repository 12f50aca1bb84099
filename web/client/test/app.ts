// An application in TypeScript as it would be written for the documented interface. types.test.mjs compiles it.
import {
  ConnectionState,
  InitialLayerPreference,
  JitterBufferMinDelay,
  LocalStageStream,
  LocalStageStreamEvents,
  NetworkQuality,
  RemoteStageStream,
  RemoteStageStreamEvents,
  SimulcastLayerPresets,
  Stage,
  StageConnectionState,
  StageError,
  StageErrorCategory,
  StageErrorCode,
  StageEvents,
  StageLeftReason,
  type StageParticipantInfo,
  StageParticipantPublishState,
  StageParticipantSubscribeState,
  type StageStrategy,
  StageStream,
  StageStreamLayerSelectedReason,
  StreamType,
  SubscribeType,
} from '@rivus/web';

class Strategy implements StageStrategy {
  private camera?: LocalStageStream;
  private microphone?: LocalStageStream;

  setTracks(video: MediaStreamTrack, audio: MediaStreamTrack) {
    this.camera = new LocalStageStream(video, {
      minBitrate: 100,
      maxBitrate: 2000,
      maxFramerate: 30,
      inBandMessaging: { enabled: true },
      simulcast: { enabled: true, layers: [SimulcastLayerPresets.DEFAULT_720, SimulcastLayerPresets.DEFAULT_180] },
    });
    this.microphone = new LocalStageStream(audio, { maxAudioBitrateKbps: 96, stereo: true });
    this.microphone.on(LocalStageStreamEvents.LOCAL_STREAM_MUTE_CHANGED, (stream) => console.log(stream.isMuted));
  }

  stageStreamsToPublish() {
    return [this.camera, this.microphone].filter((s) => s !== undefined);
  }

  shouldPublishParticipant(participant: StageParticipantInfo) {
    return participant.isLocal;
  }

  shouldSubscribeToParticipant(participant: StageParticipantInfo) {
    return participant.attributes['role'] === 'host' ? SubscribeType.AUDIO_VIDEO : SubscribeType.AUDIO_ONLY;
  }

  subscribeConfiguration(_participant: StageParticipantInfo) {
    return {
      jitterBuffer: { minDelay: JitterBufferMinDelay.MEDIUM },
      inBandMessaging: { enabled: true },
      simulcast: { initialLayerPreference: InitialLayerPreference.HIGHEST_QUALITY },
    };
  }

  preferredLayerForStream(participant: StageParticipantInfo, stream: RemoteStageStream) {
    return participant.userId === 'thumbnail' ? stream.getLowestQualityLayer() : null;
  }

  hello() {
    this.camera?.insertSeiMessage(new TextEncoder().encode('hello').buffer as ArrayBuffer, { repeatCount: 2 });
    this.microphone?.setMuted(!this.microphone.isMuted);
  }
}

export async function main(token: string, nextToken: string): Promise<void> {
  const strategy = new Strategy();
  const stage = new Stage(token, strategy);
  stage.on(StageEvents.ERROR, (error: StageError) => {
    const full = error.code === StageErrorCode.STAGE_AT_CAPACITY && error.category === StageErrorCategory.PUBLISH_ERROR;
    console.log(full, error.message, error.details);
  });
  stage.on(StageEvents.STAGE_CONNECTION_STATE_CHANGED, (state: StageConnectionState) => console.log(state === ConnectionState.CONNECTED));
  stage.on(StageEvents.STAGE_LEFT, (reason: StageLeftReason) => console.log(reason === StageLeftReason.PARTICIPANT_DISCONNECTED));
  const joined = (p: StageParticipantInfo) => console.log(p.id, p.userId, p.userInfo, p.capabilities.has('PUBLISH'), p.isPublishing, p.audioMuted, p.videoStopped);
  stage.on(StageEvents.STAGE_PARTICIPANT_JOINED, joined, strategy);
  stage.off(StageEvents.STAGE_PARTICIPANT_JOINED, joined, strategy);
  stage.on(StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED, (_participant: StageParticipantInfo, streams: StageStream[]) => {
    for (const stream of streams.filter((s) => s.streamType === StreamType.VIDEO)) new MediaStream().addTrack(stream.mediaStreamTrack);
  });
  stage.on(StageEvents.STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED, (_, state) => console.log(state === StageParticipantPublishState.PUBLISHED));
  stage.on(StageEvents.STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED, (_, state) => console.log(state === StageParticipantSubscribeState.ERRORED));
  stage.on(StageEvents.STAGE_STREAM_LAYER_SELECTED, (_, stream, layer, reason) => {
    console.log(stream.getSelectedLayer()?.label === layer?.label, reason === StageStreamLayerSelectedReason.UNAVAILABLE);
    stream.on(RemoteStageStreamEvents.LAYERS_CHANGED, (layers) => console.log(layers.map((l) => l.label)));
  });
  stage.on(StageEvents.STAGE_STREAM_SEI_MESSAGE_RECEIVED, (_, { payload, uuid }) => console.log(uuid, payload.byteLength));
  await stage.join();
  for (const stream of strategy.stageStreamsToPublish()) {
    const quality = await stream.requestQualityStats();
    const poor = Array.isArray(quality) ? quality.some((layer) => layer.networkQuality <= NetworkQuality.POOR) : quality?.networkQuality;
    console.log(poor, (await stream.requestRTCStats())?.size, stream.mediaConfig.maxBitrate);
  }
  stage.refreshStrategy();
  stage.replaceStrategy(strategy);
  await stage.exchangeToken(nextToken);
  stage.leave();
}
