/** Ticket is a participant token with what it says of its holder. The server alone judges whether it is good. */
export interface Ticket {
  token: string;
  stageId: string;
  /** The user id, or the participant id when the token has none. */
  name: string;
  canPublish: boolean;
  canSubscribe: boolean;
}

/** readTicket reads the claims of a token. It returns undefined for text that has not the form of one. */
export function readTicket(text: string): Ticket | undefined {
  const token = text.trim();
  const body = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(token)?.[1];
  if (!body) return undefined;
  try {
    const bytes = Uint8Array.from(atob(body.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims?.topic !== 'string' || typeof claims.jti !== 'string') return undefined;
    return {
      token,
      stageId: claims.topic,
      name: typeof claims.user_id === 'string' && claims.user_id ? claims.user_id : claims.jti,
      canPublish: claims.capabilities?.allow_publish === true,
      canSubscribe: claims.capabilities?.allow_subscribe === true,
    };
  } catch {
    return undefined;
  }
}

/** takeFragment returns the token of `#token=…` and takes it out of the address, so that no history keeps it. */
export function takeFragment(): string | undefined {
  const token = new URLSearchParams(window.location.hash.slice(1)).get('token');
  if (token === null) return undefined;
  window.history.replaceState(null, '', window.location.pathname);
  return token;
}

/** What a tab remembers, so that a reload returns to the stage: gone when the tab is closed. */
export interface Memory {
  token: string;
  joined: boolean;
  /** Ids of the devices that were used last; undefined when none was. */
  camera?: string;
  microphone?: string;
  cameraOff?: boolean;
  microphoneOff?: boolean;
}

const place = 'rivus.stage';

/** recall returns what this tab has remembered. */
export function recall(): Memory | undefined {
  try {
    const memory = JSON.parse(window.sessionStorage.getItem(place) ?? 'null');
    return typeof memory?.token === 'string' ? memory : undefined;
  } catch {
    return undefined;
  }
}

/** remember keeps what a reload needs; without it everything is forgotten. */
export function remember(memory?: Memory): void {
  try {
    if (memory) window.sessionStorage.setItem(place, JSON.stringify(memory));
    else window.sessionStorage.removeItem(place);
  } catch {
    // storage is switched off: a reload then asks for the token again
  }
}
