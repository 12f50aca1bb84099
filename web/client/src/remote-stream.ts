import { RemoteStageStreamEvents, StageStreamLayerSelectedReason, StreamType } from './enums.js';
import type { Participant } from './participant.js';
import type { LayerView } from './protocol.js';
import { StageStream } from './stream.js';

/** A simulcast layer of a remote stream. */
export interface StageStreamLayer {
  /** Names it, as `low`, `mid` or `hi`. */
  readonly label: string;
  /** bit/s, measured by the server; 0 while the layer is off. */
  readonly bitrate: number;
  /** Whether it is the one that is received. */
  readonly selected: boolean;
}

interface Events {
  [RemoteStageStreamEvents.ADAPTION_CHANGED]: [isAdapting: boolean];
  [RemoteStageStreamEvents.LAYERS_CHANGED]: [layers: StageStreamLayer[]];
  [RemoteStageStreamEvents.LAYER_SELECTED]: [layer: StageStreamLayer | undefined, reason: StageStreamLayerSelectedReason];
}

/** A track of another participant. */
export class RemoteStageStream extends StageStream<Events> {
  #layers: LayerView[] = [];
  #selected = '';
  #preferred = '';
  #adapting = false;

  /** @internal */
  constructor(
    track: MediaStreamTrack,
    private readonly participant: Participant,
  ) {
    super(track);
  }

  get isMuted(): boolean {
    return this.streamType === StreamType.AUDIO ? this.participant.audioMuted : this.participant.videoStopped;
  }

  /** The simulcast layers, lowest first; empty without simulcast. */
  getLayers(): StageStreamLayer[] {
    return this.#layers.map((layer) => ({ ...layer, selected: layer.label === this.#selected }));
  }

  /** The layer that is received; undefined without simulcast, and while none is. */
  getSelectedLayer(): StageStreamLayer | undefined {
    return this.getLayers().find((layer) => layer.selected);
  }

  /** Of the layers that are on; undefined without simulcast. */
  getLowestQualityLayer(): StageStreamLayer | undefined {
    return this.getLayers().find((layer) => layer.bitrate > 0);
  }

  /** Of the layers that are on; undefined without simulcast. */
  getHighestQualityLayer(): StageStreamLayer | undefined {
    return this.getLayers().findLast((layer) => layer.bitrate > 0);
  }

  /** @internal Takes what the server says of the layers. */
  setLayers(layers: LayerView[]): void {
    const changed = layerForm(layers) !== layerForm(this.#layers);
    this.#layers = layers.map(({ label, bitrate }) => ({ label, bitrate }));
    if (changed) this.emit(RemoteStageStreamEvents.LAYERS_CHANGED, this.getLayers());
    this.#adapt();
  }

  /** @internal Takes which layer the server sends; "" for none. */
  setSelected(label: string): void {
    if (label === this.#selected) return;
    this.#selected = label;
    const preferred = label !== '' && label === this.#preferred;
    this.#tell(preferred ? StageStreamLayerSelectedReason.PREFERRED : StageStreamLayerSelectedReason.NETWORK);
  }

  /** @internal Takes which layer the application wants; "" for none. */
  setPreferred(label: string): void {
    this.#preferred = label;
    this.#adapt();
  }

  /** @internal The preferred layer cannot be had. */
  unavailable(): void {
    this.#tell(StageStreamLayerSelectedReason.UNAVAILABLE);
  }

  #tell(reason: StageStreamLayerSelectedReason): void {
    if (this.#layers.length > 0) this.emit(RemoteStageStreamEvents.LAYER_SELECTED, this.getSelectedLayer(), reason);
  }

  #adapt(): void {
    const adapting = this.#layers.length > 1 && this.#preferred === '';
    if (adapting === this.#adapting) return;
    this.#adapting = adapting;
    this.emit(RemoteStageStreamEvents.ADAPTION_CHANGED, adapting);
  }
}

/** Which layers there are, and which of them are on: what listeners of LAYERS_CHANGED want to know. */
export function layerForm(layers: LayerView[]): string {
  return layers.map(({ label, bitrate }) => `${label}:${bitrate > 0}`).join();
}
