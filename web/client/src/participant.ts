/** What a token allows. */
export type StageParticipantCapability = 'PUBLISH' | 'SUBSCRIBE';

/**
 * A participant of the stage. The object stays the same as long as the participant is there; its members always show
 * the present.
 */
export interface StageParticipantInfo {
  readonly id: string;
  /** Of the token; empty when it has none. */
  readonly userId: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Known of the local participant only. */
  readonly capabilities: ReadonlySet<StageParticipantCapability>;
  readonly isLocal: boolean;
  readonly isPublishing: boolean;
  readonly audioMuted: boolean;
  readonly videoStopped: boolean;
  /** The attributes, under their older name. */
  readonly userInfo: Readonly<Record<string, string>>;
}

/** The participant as the client keeps it. */
export class Participant implements StageParticipantInfo {
  userId = '';
  attributes: Record<string, string> = {};
  capabilities: Set<StageParticipantCapability> = new Set();
  isPublishing = false;
  audioMuted = false;
  videoStopped = false;

  constructor(
    readonly id: string,
    readonly isLocal: boolean,
  ) {}

  get userInfo(): Readonly<Record<string, string>> {
    return this.attributes;
  }
}
