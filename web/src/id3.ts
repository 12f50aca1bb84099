/** Priv is a PRIV frame of an ID3 tag: text that belongs to its owner. */
export interface Priv {
  owner: string;
  text: string;
}

/** synchsafe reads a 28-bit size of which every byte carries seven bits (ID3v2.4, section 6.2). */
function synchsafe(b: Uint8Array, at: number): number {
  return (b[at]! << 21) | (b[at + 1]! << 14) | (b[at + 2]! << 7) | b[at + 3]!;
}

/** readPriv returns the PRIV frames of an ID3v2.4 tag. Anything that is not such a tag gives none. */
export function readPriv(tag: Uint8Array): Priv[] {
  const decoder = new TextDecoder();
  const out: Priv[] = [];
  if (tag.length < 10 || decoder.decode(tag.subarray(0, 3)) !== 'ID3') return out;
  const end = Math.min(tag.length, 10 + synchsafe(tag, 6));
  for (let at = 10; at + 10 <= end; ) {
    const id = decoder.decode(tag.subarray(at, at + 4));
    const size = synchsafe(tag, at + 4);
    const body = tag.subarray(at + 10, Math.min(end, at + 10 + size));
    const nul = body.indexOf(0);
    if (id === 'PRIV' && nul >= 0) {
      out.push({ owner: decoder.decode(body.subarray(0, nul)), text: decoder.decode(body.subarray(nul + 1)) });
    }
    at += 10 + size;
  }
  return out;
}
