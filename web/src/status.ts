/**
 * How a channel is, as the server tells. `private`: it asks for a token. `refused`: who asks may not watch. `unanswered`: the
 * server does not tell.
 */
export type ChannelState = 'live' | 'offline' | 'private' | 'refused' | 'unknown' | 'unanswered';

const states: readonly string[] = ['live', 'offline', 'private', 'refused', 'unknown'];

/** Answer is a state, with the reason for a refusal. */
export interface Answer {
  state: ChannelState;
  reason?: string;
}

/**
 * askStatus asks the playback URL how its channel is. A server that does not know the question is taken for one whose
 * channel is live: the player then finds out.
 */
export async function askStatus(playlist: string, token: string | undefined, signal: AbortSignal): Promise<Answer> {
  try {
    const query = token ? `?status&token=${encodeURIComponent(token)}` : '?status';
    const answer = await fetch(playlist + query, { signal, cache: 'no-store' });
    if (answer.status >= 500) return { state: 'unanswered' };
    if (!answer.headers.get('Content-Type')?.startsWith('application/json')) return { state: 'live' };
    const { state, reason } = (await answer.json()) as { state?: string; reason?: string };
    return state !== undefined && states.includes(state) ? { state: state as ChannelState, reason } : { state: 'live' };
  } catch {
    return { state: 'unanswered' };
  }
}
