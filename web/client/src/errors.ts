import { StageErrorCategory, StageErrorCode } from './enums.js';

/** What went wrong: handed to the listeners of StageEvents.ERROR, and what join and exchangeToken reject with. */
export class StageError extends Error {
  override readonly name = 'StageError';

  constructor(
    readonly code: StageErrorCode,
    readonly category: StageErrorCategory,
    message: string,
    /** More about the cause, as the server or the browser said it. */
    readonly details: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

/** A failure that may pass: the network, or a server that is busy. */
export class TemporaryError extends Error {
  constructor(
    message: string,
    /** Milliseconds that the server asked to wait. */
    readonly retryAfter = 0,
  ) {
    super(message);
  }
}

/** Turns whatever was thrown into a StageError. */
export function asStageError(error: unknown, category: StageErrorCategory): StageError {
  if (error instanceof StageError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StageError(StageErrorCode.FAILED, category, message, { cause: error });
}

/** The error of a refused HTTP request (docs/stage-protocol.md, "Media over HTTP"). */
export function refused(response: Response, text: string, category: StageErrorCategory): StageError | TemporaryError {
  const { status } = response;
  const gone = status === 204 || (status === 404 && !text.includes('unknown stage'));
  const noPublisher = gone && category === StageErrorCategory.SUBSCRIBE_ERROR;
  if (status >= 500 || status === 409 || noPublisher) {
    const seconds = Number(response.headers.get('Retry-After')) || 0;
    return new TemporaryError(`${status} ${text || 'the participant does not publish'}`, 1000 * seconds);
  }
  return new StageError(refusalCode(status, text), category, text.trim() || `the server answered ${status}`, { status });
}

function refusalCode(status: number, text: string): StageErrorCode {
  switch (status) {
    case 401:
      return tokenCode(text);
    case 403:
      return text.includes('disconnected') ? StageErrorCode.PARTICIPANT_DISCONNECTED : StageErrorCode.TOKEN_NOT_ALLOWED;
    case 404:
      return text.includes('unknown stage') ? StageErrorCode.STAGE_DELETED : StageErrorCode.FAILED;
    case 406:
    case 422:
      return StageErrorCode.CODEC_MISMATCH;
    case 429:
      return StageErrorCode.STAGE_AT_CAPACITY;
    default:
      return StageErrorCode.FAILED;
  }
}

/** The code of a token that is no good, by the server's word for it. */
export function tokenCode(text: string): StageErrorCode {
  return text.includes('expired') ? StageErrorCode.TOKEN_EXPIRED : StageErrorCode.TOKEN_MALFORMED;
}
