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
