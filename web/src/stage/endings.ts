import { StageError, StageErrorCode, StageLeftReason } from '@rivus/web';

/** Ending says why somebody is not on the stage, and what can be done about it. */
export interface Ending {
  title: string;
  text: string;
  /** Label of the button that joins with the same token; undefined when that token is of no use. */
  again?: string;
}

export const userLeft: Ending = { title: 'You left the stage', text: 'Others do not see or hear you any more.', again: 'Join again' };

const askForToken = 'Ask whoever runs the stage for a new token.';

/** endingOf tells why a stay on the stage ended, or did not begin. */
export function endingOf(error: StageError | undefined, reason?: StageLeftReason): Ending {
  switch (reason) {
    case StageLeftReason.USER_INITIATED:
      return userLeft;
    case StageLeftReason.PARTICIPANT_REPLACED:
      return {
        title: 'You joined somewhere else',
        text: 'Another tab or device uses the same token, and a token is on the stage once.',
        again: 'Join here instead',
      };
    case StageLeftReason.TOKEN_REFUSED:
      return refusal(error);
  }
  switch (error?.code) {
    case StageErrorCode.CANCELED: // the page went before it was on the stage
      return userLeft;
    case StageErrorCode.PARTICIPANT_DISCONNECTED:
      return { title: 'You were removed from the stage', text: removal(error) };
    case StageErrorCode.STAGE_DELETED:
      return { title: 'The stage was deleted', text: 'It does not exist any more. Ask for a token of another stage.' };
    case StageErrorCode.STAGE_AT_CAPACITY:
      return { title: 'The stage is full', text: 'Wait until somebody leaves, then try again.', again: 'Try again' };
    case StageErrorCode.TOKEN_EXPIRED:
    case StageErrorCode.TOKEN_MALFORMED:
    case StageErrorCode.TOKEN_NOT_ALLOWED:
      return refusal(error);
  }
  return {
    title: reason ? 'The connection was lost' : 'The stage cannot be reached',
    text: 'The server did not answer for half a minute. Check the network, then try again.',
    again: 'Try again',
  };
}

/** removal repeats what DisconnectParticipant was given as the reason. */
function removal(error: StageError): string {
  const said = typeof error.details['message'] === 'string' ? error.details['message'].trim() : '';
  return `${said ? `The reason given: “${said}”.` : 'No reason was given.'} This token cannot be used again. ${askForToken}`;
}

function refusal(error?: StageError): Ending {
  if (error?.code === StageErrorCode.TOKEN_EXPIRED) {
    return { title: 'The token has expired', text: askForToken };
  }
  return { title: 'The token was refused', text: `The server does not accept it${error ? `: ${error.message}` : ''}. ${askForToken}` };
}

/** trouble tells of an error that leaves one on the stage. */
export function trouble(error: StageError): string {
  const { code, message } = error;
  if (error.category === 'PUBLISH_ERROR') {
    if (code === StageErrorCode.STAGE_AT_CAPACITY) return 'The stage is full: others do not see or hear you. You can go on watching.';
    return `Others do not see or hear you: ${message}`;
  }
  return code === StageErrorCode.CODEC_MISMATCH ? 'This browser cannot show the video of somebody here, who is only heard.' : `Somebody cannot be shown: ${message}`;
}
