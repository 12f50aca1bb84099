import { StageErrorCategory, StageErrorCode } from './enums.js';
import { StageError } from './errors.js';
import type { StageParticipantCapability } from './participant.js';

/** What a participant token says. Its signature is the server's to check. */
export interface Claims {
  participantId: string;
  stageArn: string;
  stageId: string;
  userId: string;
  attributes: Record<string, string>;
  capabilities: Set<StageParticipantCapability>;
  /** Of the WebSocket, without the stage. */
  eventsUrl: string;
  whipUrl: string;
}

/** Reads the claims of a token. Throws a StageError (TOKEN_MALFORMED). */
export function parseToken(token: string): Claims {
  const parts = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(token);
  const body = parts ? decode(parts[1]!) : undefined;
  if (!body) throw malformed('it has not the form of one');
  const text = (name: string): string => {
    const value = body[name];
    if (typeof value !== 'string' || value === '') throw malformed(`its claim ${name} is missing`);
    return value;
  };
  const allows = object(body['capabilities']) ?? {};
  const capabilities = new Set<StageParticipantCapability>();
  if (allows['allow_publish'] === true) capabilities.add('PUBLISH');
  if (allows['allow_subscribe'] === true) capabilities.add('SUBSCRIBE');
  return {
    participantId: text('jti'),
    stageArn: text('resource'),
    stageId: text('topic'),
    userId: typeof body['user_id'] === 'string' ? body['user_id'] : '',
    attributes: strings(object(body['attributes']) ?? {}),
    capabilities,
    eventsUrl: address(text('events_url'), 'events_url', ['ws:', 'wss:']),
    whipUrl: address(text('whip_url'), 'whip_url', ['http:', 'https:']),
  };
}

function malformed(why: string): StageError {
  return new StageError(StageErrorCode.TOKEN_MALFORMED, StageErrorCategory.JOIN_ERROR, `this is no participant token: ${why}`);
}

/** Reads the middle part of a JWT (RFC 7519, section 7.2). */
function decode(part: string): Record<string, unknown> | undefined {
  try {
    const binary = atob(part.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    return object(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    return undefined;
  }
}

function object(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

function strings(value: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(value).filter((e): e is [string, string] => typeof e[1] === 'string'));
}

/** Checks an address and drops the slash at its end. */
function address(value: string, claim: string, schemes: string[]): string {
  if (!URL.canParse(value) || !schemes.includes(new URL(value).protocol)) throw malformed(`its claim ${claim} is no address`);
  return value.replace(/\/+$/, '');
}
