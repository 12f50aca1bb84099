/** A channel as the watch page addresses it: an ARN, a playback URL or a path on this server. */
export interface Channel {
  /** Where the multivariant playlist is. */
  url: string;
  /** What to show as its name: the channel id when it can be told, else the URL. */
  label: string;
  /** The ARN when it can be told. */
  arn?: string;
  /** The viewer's token, which a private channel asks for. It is not in the URL. */
  token?: string;
}

const arnForm = /^arn:aws:ivs:([a-z0-9-]+):([0-9]+):channel\/([A-Za-z0-9-]+)$/;
const pathForm = /\/api\/video\/v1\/([a-z0-9-]+)\.([0-9]+)\.channel\.([A-Za-z0-9-]+)\.m3u8$/;

/** parseChannel reads the page's `channel` parameter. It returns undefined for anything that names no channel. */
export function parseChannel(text: string): Channel | undefined {
  const input = text.trim();
  const arn = arnForm.exec(input);
  if (arn) {
    const [, region, account, id] = arn;
    return { url: `/api/video/v1/${region}.${account}.channel.${id}.m3u8`, label: id!, arn: input };
  }
  let url: URL;
  try {
    url = new URL(input, window.location.href);
  } catch {
    return undefined;
  }
  const path = pathForm.exec(url.pathname);
  if (!path || !/^https?:$/.test(url.protocol)) return undefined;
  const [, region, account, id] = path;
  const token = url.searchParams.get('token') ?? undefined;
  url.search = url.hash = '';
  return { url: url.href, label: id!, arn: `arn:aws:ivs:${region}:${account}:channel/${id}`, token };
}
