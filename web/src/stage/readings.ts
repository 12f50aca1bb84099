/** Reading is what the browser's statistics say of one participant, over the last second. */
export interface Reading {
  /** Milliseconds to the server and back. */
  roundTripMs?: number;
  /** Milliseconds that received media waits to be played in order and in time. */
  bufferMs?: number;
  /** Share of packets that did not arrive, 0 to 100. */
  lossPercent?: number;
  bitrate: number;
  width?: number;
  height?: number;
  fps?: number;
  codec?: string;
}

/** The members of statistics that are read here; which of them a row has depends on its type. */
interface Row {
  id: string;
  type: string;
  kind?: string;
  rid?: string;
  codecId?: string;
  mimeType?: string;
  nominated?: boolean;
  currentRoundTripTime?: number;
  roundTripTime?: number;
  fractionLost?: number;
  packetsReceived?: number;
  packetsLost?: number;
  bytesReceived?: number;
  bytesSent?: number;
  jitterBufferDelay?: number;
  jitterBufferEmittedCount?: number;
  frameWidth?: number;
  frameHeight?: number;
  framesPerSecond?: number;
}

/** Counters of all streams of one reading. */
interface Counters {
  at: number;
  bytes: number;
  packets: number;
  lost: number;
  delay: number;
  emitted: number;
}

/** Readout turns the reports of one participant's streams into readings, one after the other. */
export class Readout {
  #last?: Counters;

  read(reports: RTCStatsReport[]): Reading | undefined {
    const rows = [...new Map(reports.flatMap((r) => [...r.values()] as Row[]).map((row) => [row.id, row])).values()];
    const streams = rows.filter((r) => r.type === 'inbound-rtp' || r.type === 'outbound-rtp');
    if (streams.length === 0) return undefined;
    const now = count(streams);
    const last = this.#last;
    this.#last = now;
    const picture = streams.filter((r) => r.frameWidth).sort((a, b) => b.frameWidth! - a.frameWidth!)[0];
    const shown = picture ?? streams[0]!;
    const pair = rows.find((r) => r.type === 'candidate-pair' && r.nominated && r.currentRoundTripTime !== undefined);
    const echo = rows.find((r) => r.type === 'remote-inbound-rtp' && r.roundTripTime !== undefined);
    const seconds = pair?.currentRoundTripTime ?? echo?.roundTripTime;
    return {
      ...(last && since(last, now)),
      ...(echo?.fractionLost !== undefined && { lossPercent: echo.fractionLost * 100 }),
      bitrate: last && now.bytes >= last.bytes ? ((now.bytes - last.bytes) * 8000) / (now.at - last.at) : 0,
      roundTripMs: seconds === undefined ? undefined : seconds * 1000,
      width: picture?.frameWidth,
      height: picture?.frameHeight,
      fps: picture?.framesPerSecond,
      codec: rows.find((r) => r.id === shown.codecId)?.mimeType?.split('/')[1],
    };
  }
}

function count(streams: Row[]): Counters {
  const sum = (of: (row: Row) => number | undefined) => streams.reduce((all, row) => all + (of(row) ?? 0), 0);
  // The picture is what one waits for; sound alone counts when there is none.
  const buffered = streams.find((r) => r.kind === 'video') ?? streams[0]!;
  return {
    at: performance.now(),
    bytes: sum((r) => r.bytesReceived ?? r.bytesSent),
    packets: sum((r) => r.packetsReceived),
    lost: sum((r) => r.packetsLost),
    delay: buffered.jitterBufferDelay ?? 0,
    emitted: buffered.jitterBufferEmittedCount ?? 0,
  };
}

function since(last: Counters, now: Counters): Pick<Reading, 'bufferMs' | 'lossPercent'> {
  const emitted = now.emitted - last.emitted;
  const packets = now.packets - last.packets;
  const lost = Math.max(0, now.lost - last.lost);
  return {
    bufferMs: emitted > 0 ? ((now.delay - last.delay) / emitted) * 1000 : undefined,
    lossPercent: packets > 0 ? (lost / (packets + lost)) * 100 : undefined,
  };
}
