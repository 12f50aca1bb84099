// The messages of the events socket (docs/stage-protocol.md).

/** A simulcast layer as the server sees it. */
export interface LayerView {
  label: string;
  /** bit/s; 0: off. */
  bitrate: number;
}

/** A participant as the server sees it. */
export interface ParticipantView {
  id: string;
  userId?: string;
  attributes?: Record<string, string>;
  isPublishing?: boolean;
  hasAudio?: boolean;
  hasVideo?: boolean;
  audioMuted?: boolean;
  videoStopped?: boolean;
  layers?: LayerView[];
}

export type ServerMessage =
  | { type: 'STAGE_STATE'; payload: { stageId: string; participants: ParticipantView[] } }
  | { type: 'PONG' }
  | {
      type: 'PARTICIPANT_JOINED' | 'PARTICIPANT_UPDATED' | 'PARTICIPANT_PUBLISHED' | 'TOKEN_EXCHANGED';
      payload: ParticipantView;
    }
  | { type: 'PARTICIPANT_LEFT' | 'PARTICIPANT_UNPUBLISHED'; payload: { id: string } }
  | { type: 'MUTE_CHANGED'; payload: { id: string; audioMuted: boolean; videoStopped: boolean } }
  | { type: 'LAYERS_CHANGED'; payload: { id: string; layers: LayerView[] } }
  | { type: 'LAYER_SELECTED'; payload: { id: string; label: string; on: boolean } }
  | { type: 'ERROR'; payload: { code: string; message: string; request?: string; id?: string } }
  | { type: 'DISCONNECTED'; payload: { reason: string; message?: string } };

export interface ClientMessages {
  HELLO: { sdkVersion: string };
  PING: undefined;
  MUTE: { audioMuted: boolean; videoStopped: boolean };
  SELECT_LAYER: { id: string; layer: string };
  PAUSE: { id: string; audio: boolean; video: boolean };
  EXCHANGE_TOKEN: { token: string };
}

/** Sends a message; what is sent while the socket is not there is lost. */
export type Say = <K extends keyof ClientMessages>(type: K, payload?: ClientMessages[K]) => void;

/** Reads a frame; undefined for what is no message. */
export function parseMessage(data: unknown): ServerMessage | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    const message = JSON.parse(data) as ServerMessage;
    return typeof message?.type === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
