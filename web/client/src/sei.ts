/** An SEI message of the kind "user data unregistered" (H.264, annex D.1.7). */
export interface SeiMessage {
  payload: ArrayBuffer;
  /** With dashes, in lower case. */
  uuid: string;
}

/** Reads and writes SEI messages in H.264 frames. */
export interface SeiCodec {
  /** Puts a message in front of the first slice of a frame in Annex B form; returns the frame as it is when it has none. */
  insert(frame: Uint8Array, uuid: string, payload: Uint8Array): Uint8Array;
  /** Returns the messages of a frame in Annex B form. What is damaged is left out. */
  find(frame: Uint8Array): { uuid: string; payload: Uint8Array }[];
}

/**
 * Makes a codec. It is also sent to a worker as text, so it refers to nothing outside of itself.
 */
export function seiCodec(): SeiCodec {
  const seiUnit = 6;
  const userData = 5;
  const uuidLength = 16;

  /** Offsets of the units of a frame, each behind its start code (H.264, annex B); none of a frame of another codec. */
  function units(frame: Uint8Array): { code: number; begin: number; end: number }[] {
    const found: { code: number; begin: number; end: number }[] = [];
    for (let i = frame.indexOf(1, 2); i > 0; i = frame.indexOf(1, i + 1)) {
      if (frame[i - 1] !== 0 || frame[i - 2] !== 0) continue;
      const code = i > 2 && frame[i - 3] === 0 ? i - 3 : i - 2;
      const last = found.at(-1);
      if (last) last.end = code;
      found.push({ code, begin: i + 1, end: frame.length });
    }
    return found[0]?.code === 0 ? found : [];
  }

  /** Undoes emulation prevention (H.264, section 7.3.1). */
  function unescape(unit: Uint8Array): Uint8Array {
    const out = new Uint8Array(unit.length);
    let length = 0;
    let zeros = 0;
    for (const byte of unit) {
      if (zeros >= 2 && byte === 3) {
        zeros = 0;
        continue;
      }
      out[length++] = byte;
      zeros = byte === 0 ? zeros + 1 : 0;
    }
    return out.subarray(0, length);
  }

  function escape(unit: Uint8Array): Uint8Array {
    const out = new Uint8Array(unit.length + (unit.length >> 1) + 1);
    let length = 0;
    let zeros = 0;
    for (const byte of unit) {
      if (zeros === 2 && byte <= 3) {
        out[length++] = 3;
        zeros = 0;
      }
      out[length++] = byte;
      zeros = byte === 0 ? zeros + 1 : 0;
    }
    return out.subarray(0, length);
  }

  function uuidText(bytes: Uint8Array): string {
    const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }

  function uuidBytes(uuid: string): number[] {
    return (uuid.replaceAll('-', '').match(/../g) ?? []).map((byte) => parseInt(byte, 16));
  }

  /** The unit that holds one message (H.264, section 7.3.2.3). */
  function unitOf(uuid: string, payload: Uint8Array): Uint8Array {
    const head = [seiUnit, userData];
    let size = uuidLength + payload.length;
    for (; size >= 255; size -= 255) head.push(255);
    head.push(size, ...uuidBytes(uuid));
    const unit = new Uint8Array(head.length + payload.length + 1);
    unit.set(head);
    unit.set(payload, head.length);
    unit[unit.length - 1] = 0x80;
    return escape(unit);
  }

  /** A number that is written as a run of 255 and a rest, and where it ends. */
  function run(bytes: Uint8Array, at: number): [value: number, next: number] {
    let value = 0;
    while (bytes[at] === 255) {
      value += 255;
      at++;
    }
    return [value + (bytes[at] ?? NaN), at + 1];
  }

  function messages(unit: Uint8Array): { uuid: string; payload: Uint8Array }[] {
    const found: { uuid: string; payload: Uint8Array }[] = [];
    const bytes = unescape(unit);
    for (let at = 1; at + 2 < bytes.length; ) {
      const [type, sized] = run(bytes, at);
      const [size, begin] = run(bytes, sized);
      if (!(begin + size <= bytes.length)) break;
      if (type === userData && size >= uuidLength) {
        const uuid = uuidText(bytes.subarray(begin, begin + uuidLength));
        found.push({ uuid, payload: bytes.slice(begin + uuidLength, begin + size) });
      }
      at = begin + size;
    }
    return found;
  }

  return {
    insert(frame, uuid, payload) {
      const slice = units(frame).find(({ begin }) => (frame[begin]! & 31) >= 1 && (frame[begin]! & 31) <= 5);
      if (!slice) return frame;
      const unit = unitOf(uuid, payload);
      const out = new Uint8Array(frame.length + 4 + unit.length);
      out.set(frame.subarray(0, slice.code));
      out.set([0, 0, 0, 1], slice.code);
      out.set(unit, slice.code + 4);
      out.set(frame.subarray(slice.code), slice.code + 4 + unit.length);
      return out;
    },
    find(frame) {
      return units(frame)
        .filter(({ begin }) => (frame[begin]! & 31) === seiUnit)
        .flatMap(({ begin, end }) => messages(frame.subarray(begin, end)));
    },
  };
}
