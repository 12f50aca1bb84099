import { NetworkQuality } from './enums.js';

/** What requestQualityStats tells of one layer, or of audio. Counters are those of the connection. */
export interface QualityStats {
  /** Of a simulcast layer. */
  rid?: string;
  active: boolean;
  networkQuality: NetworkQuality;
  /** Sent streams. */
  packetsSent?: number;
  bytesSent?: number;
  encoderImplementation?: string;
  /** Received streams. */
  packetsReceived?: number;
  bytesReceived?: number;
  packetsLost?: number;
  decoderImplementation?: string;
  /** Seconds; as the other side reports it. */
  roundTripTime?: number;
  /** Seconds. */
  jitter?: number;
  frameWidth?: number;
  frameHeight?: number;
  framesPerSecond?: number;
}

/** Reads reports of one stream, one after the other. */
export class Meter {
  read(_report: RTCStatsReport, _kind: string): QualityStats[] {
    void NetworkQuality;
    return [];
  }
}
