import { type RemoteStageStreamEvents, type StageStreamLayerSelectedReason } from './enums.js';
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
  get isMuted(): boolean {
    return false;
  }

  /** The simulcast layers, lowest first; empty without simulcast. */
  getLayers(): StageStreamLayer[] {
    return [];
  }

  /** The layer that is received; undefined without simulcast, and while none is. */
  getSelectedLayer(): StageStreamLayer | undefined {
    return undefined;
  }

  getLowestQualityLayer(): StageStreamLayer | undefined {
    return undefined;
  }

  getHighestQualityLayer(): StageStreamLayer | undefined {
    return undefined;
  }
}
