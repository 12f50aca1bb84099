/** How a channel is, as the server tells. `unanswered`: it does not tell. */
export type ChannelState = 'live' | 'offline' | 'private' | 'unknown' | 'unanswered';

const states: readonly string[] = ['live', 'offline', 'private', 'unknown'];

/**
 * askStatus asks the playback URL how its channel is. A server that does not know the question is taken for one whose
 * channel is live: the player then finds out.
 */
export async function askStatus(playlist: string, signal: AbortSignal): Promise<ChannelState> {
  try {
    const answer = await fetch(`${playlist}?status`, { signal, cache: 'no-store' });
    if (answer.status >= 500) return 'unanswered';
    if (!answer.headers.get('Content-Type')?.startsWith('application/json')) return 'live';
    const { state } = (await answer.json()) as { state?: string };
    return state !== undefined && states.includes(state) ? (state as ChannelState) : 'live';
  } catch {
    return 'unanswered';
  }
}
