import type { Channel } from './channel';

/** Where this tab keeps the token of the channel that it watches: a reload goes on, a closed tab forgets. */
const place = 'rivus.watch';

/**
 * takeToken returns the viewer's token that the page was opened with, for a channel that asks for one: in the fragment
 * (`#token=…`, which no server sees), in the query, or in the playback URL that `channel` is. It takes the token out of the
 * address, so that neither the history nor a copied address has it, and remembers it for a reload of this tab.
 */
export function takeToken(channel: Channel): string | undefined {
  const page = new URL(window.location.href);
  const found = new URLSearchParams(page.hash.slice(1)).get('token') ?? page.searchParams.get('token') ?? channel.token;
  if (!found) return recall(channel);
  page.hash = '';
  page.searchParams.delete('token');
  if (channel.token) page.searchParams.set('channel', channel.url);
  window.history.replaceState(null, '', page);
  try {
    window.sessionStorage.setItem(place, JSON.stringify({ url: channel.url, token: found }));
  } catch {
    // a browser that keeps nothing asks again after a reload
  }
  return found;
}

function recall(channel: Channel): string | undefined {
  try {
    const kept = JSON.parse(window.sessionStorage.getItem(place) ?? 'null');
    return kept?.url === channel.url && typeof kept.token === 'string' ? kept.token : undefined;
  } catch {
    return undefined;
  }
}
