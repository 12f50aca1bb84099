import { NetworkQuality } from './enums.js';

/** What requestQualityStats tells of one layer, or of audio. Counters are those of the connection. */
export interface QualityStats {
  /** Of a simulcast layer. */
  rid?: string;
  /** Whether packets have flowed since the last call. */
  active: boolean;
  networkQuality: NetworkQuality;
  /** Sent streams. */
  packetsSent?: number;
  bytesSent?: number;
  encoderImplementation?: string;
  /** Received streams. */
  packetsReceived?: number;
  bytesReceived?: number;
  decoderImplementation?: string;
  /** As the receiving side counts it. */
  packetsLost?: number;
  /** Seconds. */
  roundTripTime?: number;
  /** Seconds. */
  jitter?: number;
  frameWidth?: number;
  frameHeight?: number;
  framesPerSecond?: number;
}

/** The members that reports of streams have, and that TypeScript's library knows in part. */
interface Row extends QualityStats {
  id: string;
  type: string;
  kind?: string;
  localId?: string;
  fractionLost?: number;
  state?: string;
  nominated?: boolean;
  currentRoundTripTime?: number;
}

/** Packets of a stream when they were counted last. */
interface Count {
  packets: number;
  lost: number;
}

const lowest = ['low', 'mid', 'hi'];

/** Reads reports of one stream, one after the other. */
export class Meter {
  readonly #last = new Map<string, Count>();

  read(report: RTCStatsReport, kind: string): QualityStats[] {
    const rows = [...report.values()] as Row[];
    const path = rows.find((r) => r.type === 'candidate-pair' && r.nominated && r.currentRoundTripTime !== undefined);
    const streams = rows.filter((r) => r.kind === kind && (r.type === 'outbound-rtp' || r.type === 'inbound-rtp'));
    return streams
      .map((row) => {
        const remote = rows.find((r) => r.type === 'remote-inbound-rtp' && r.localId === row.id);
        return row.type === 'outbound-rtp' ? this.#sent(row, remote) : this.#received(row, path?.currentRoundTripTime);
      })
      .sort((a, b) => lowest.indexOf(a.rid ?? '') - lowest.indexOf(b.rid ?? ''));
  }

  #sent(row: Row, remote: Row | undefined): QualityStats {
    const packets = row.packetsSent ?? 0;
    const moved = this.#since(row.id, { packets, lost: 0 }).packets > 0;
    const roundTripTime = remote?.roundTripTime;
    return {
      ...picture(row),
      active: moved,
      networkQuality: moved ? grade(remote?.fractionLost ?? 0, roundTripTime) : NetworkQuality.DOWN,
      packetsSent: packets,
      bytesSent: row.bytesSent,
      encoderImplementation: row.encoderImplementation,
      packetsLost: remote?.packetsLost,
      roundTripTime,
      jitter: remote?.jitter,
    };
  }

  #received(row: Row, roundTripTime: number | undefined): QualityStats {
    const { packetsReceived = 0, packetsLost = 0 } = row;
    const { packets, lost } = this.#since(row.id, { packets: packetsReceived, lost: packetsLost });
    return {
      ...picture(row),
      active: packets > 0,
      networkQuality: packets > 0 ? grade(lost / (packets + lost), roundTripTime) : NetworkQuality.DOWN,
      packetsReceived,
      bytesReceived: row.bytesReceived,
      decoderImplementation: row.decoderImplementation,
      packetsLost,
      roundTripTime,
      jitter: row.jitter,
    };
  }

  #since(id: string, now: Count): Count {
    const { packets, lost } = this.#last.get(id) ?? { packets: 0, lost: 0 };
    this.#last.set(id, now);
    return { packets: now.packets - packets, lost: Math.max(0, now.lost - lost) };
  }
}

function picture({ rid, frameWidth, frameHeight, framesPerSecond }: Row): Partial<QualityStats> {
  return { rid, frameWidth, frameHeight, framesPerSecond };
}

/** Grades a path by the share of packets that are lost and by its round trip in seconds. */
export function grade(loss: number, roundTrip = 0): NetworkQuality {
  if (loss <= 0.01 && roundTrip <= 0.15) return NetworkQuality.EXCELLENT;
  if (loss <= 0.03 && roundTrip <= 0.3) return NetworkQuality.GOOD;
  if (loss <= 0.1 && roundTrip <= 0.6) return NetworkQuality.NORMAL;
  return NetworkQuality.POOR;
}
