// The few changes to session descriptions that have no interface of their own.

/** The ICE credentials of the first section of an offer, as a fragment for PATCH (RFC 8840, section 9). */
export function iceFragment(offer: string): string {
  const sections = split(offer);
  const media = sections[1] ?? [];
  const pick = (prefix: string) => sections[0]!.concat(media).find((line) => line.startsWith(prefix)) ?? '';
  return [pick('a=ice-ufrag:'), pick('a=ice-pwd:'), media[0], media.find((line) => line.startsWith('a=mid:'))]
    .filter(Boolean)
    .map((line) => `${line}\r\n`)
    .join('');
}

/** An answer with the credentials and candidates of the fragment that answered an ICE restart. */
export function restartedAnswer(answer: string, fragment: string): string {
  const fresh = fragment.split(/\r?\n/);
  const credentials = ['a=ice-ufrag:', 'a=ice-pwd:'].map((prefix) => fresh.find((line) => line.startsWith(prefix)));
  if (credentials.includes(undefined)) throw new Error('the answer to the ICE restart has no credentials');
  const candidates = fresh.filter((line) => line.startsWith('a=candidate:'));
  const stale = /^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)\b/;
  return join(
    split(answer).map((section, i) => {
      const rest = section.filter((line) => !stale.test(line));
      if (i === 0 || / 0 /.exec(section[0]!)?.index === section[0]!.indexOf(' ')) return rest;
      return [...rest, ...(credentials as string[]), ...candidates];
    }),
  );
}

/** Adds parameters to the format of one codec, as "opus". A parameter that is there already keeps its value. */
export function withParameters(sdp: string, codec: string, parameters: Record<string, string | number>): string {
  const sections = split(sdp).map((section) => {
    const types = section.map((line) => new RegExp(`^a=rtpmap:(\\d+) ${codec}/`, 'i').exec(line)?.[1]).filter(Boolean);
    return section.map((line) => {
      const [, type, values] = /^a=fmtp:(\d+) (.*)$/.exec(line) ?? [];
      if (!type || !types.includes(type)) return line;
      const known = values!.split(';').map((v) => v.trim().split('=')[0]);
      const added = Object.entries(parameters).filter(([name]) => !known.includes(name));
      return [line, ...added.map(([name, value]) => `${name}=${value}`)].join(';');
    });
  });
  return join(sections);
}

/** Splits into the session's lines and those of each media section. */
function split(sdp: string): string[][] {
  const sections: string[][] = [[]];
  for (const line of sdp.split(/\r?\n/)) {
    if (line.startsWith('m=')) sections.push([]);
    if (line) sections.at(-1)!.push(line);
  }
  return sections;
}

function join(sections: string[][]): string {
  return sections
    .flat()
    .map((line) => `${line}\r\n`)
    .join('');
}
