import type { SeiSink } from './local-stream.js';
import { type SeiCodec, seiCodec, type SeiMessage } from './sei.js';

/** The UUID of the messages that insertSeiMessage sends: the one that clients of the service use. */
export const seiUuid = 'b16d7d56-892e-419c-8d82-e069cd3aa5c1';

/** What a page sends to the transform of a sender. */
interface Insertion {
  uuid: string;
  payload: ArrayBuffer;
  repeatCount: number;
}

/** Chromium's interface to encoded frames before it had RTCRtpScriptTransform. */
interface EncodedStreams {
  createEncodedStreams?(): { readable: ReadableStream; writable: WritableStream };
}

/** Whether peer connections must be told beforehand that encoded frames will be read, as Chromium once wanted. */
export const needsInsertableStreams = (): boolean =>
  typeof RTCRtpScriptTransform === 'undefined' &&
  typeof RTCRtpSender !== 'undefined' &&
  'createEncodedStreams' in RTCRtpSender.prototype;

/** Reads and writes SEI messages in the encoded video of connections: in one worker, or here where there is no other way. */
export class InBand {
  #worker?: Worker;

  /** Makes a sender take messages. */
  send(sender: RTCRtpSender): SeiSink {
    const port = this.#transform(sender, 'send');
    return (payload, repeatCount) => port.postMessage({ uuid: seiUuid, payload, repeatCount } satisfies Insertion);
  }

  /** Hands on the messages that a receiver gets. */
  receive(receiver: RTCRtpReceiver, listener: (message: SeiMessage) => void): void {
    this.#transform(receiver, 'receive').onmessage = ({ data }) => listener(data as SeiMessage);
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #transform(end: RTCRtpSender | RTCRtpReceiver, side: Side): MessagePort {
    const { port1, port2 } = new MessageChannel();
    if (typeof RTCRtpScriptTransform !== 'undefined') {
      this.#worker ??= startWorker();
      end.transform = new RTCRtpScriptTransform(this.#worker, { side, port: port2 }, [port2]);
      return port1;
    }
    const streams = (end as EncodedStreams).createEncodedStreams?.();
    if (streams) pump(seiCodec(), streams.readable, streams.writable, port2, side);
    return port1;
  }
}

/** Lets the frames of a connection pass that was told that they will be read, but whose kind is not. */
export function pass(end: RTCRtpSender | RTCRtpReceiver): void {
  const streams = needsInsertableStreams() ? (end as EncodedStreams).createEncodedStreams?.() : undefined;
  void streams?.readable.pipeTo(streams.writable).catch(() => {});
}

type Side = 'send' | 'receive';

/** Starts a worker from the text of two functions, so that there is no second file to be found and served. */
function startWorker(): Worker {
  const text = `const codec = (${seiCodec})(); const pump = ${pump};
onrtctransform = ({ transformer: { readable, writable, options } }) => {
  pump(codec, readable, writable, options.port, options.side);
};`;
  const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  const worker = new Worker(url);
  URL.revokeObjectURL(url);
  return worker;
}

/** Moves encoded frames along. It is sent to a worker as text, so it refers to nothing outside of itself. */
function pump(codec: SeiCodec, readable: ReadableStream, writable: WritableStream, port: MessagePort, side: Side): void {
  const patience = 2000; // ms until a message that found no frame is dropped
  let waiting: (Insertion & { until: number; sent: Map<unknown, number> })[] = [];

  /** Each simulcast layer gets each message. */
  const insert = (frame: RTCEncodedVideoFrame) => {
    const layer = frame.getMetadata().synchronizationSource;
    const now = performance.now();
    waiting = waiting.filter(({ until }) => now < until);
    for (const message of waiting) {
      const sent = message.sent.get(layer) ?? 0;
      if (sent > message.repeatCount) continue;
      const before = new Uint8Array(frame.data);
      const after = codec.insert(before, message.uuid, new Uint8Array(message.payload));
      if (after === before) return;
      frame.data = after.buffer as ArrayBuffer;
      message.sent.set(layer, sent + 1);
    }
  };
  const find = (frame: RTCEncodedVideoFrame) => {
    for (const { uuid, payload } of codec.find(new Uint8Array(frame.data))) port.postMessage({ uuid, payload: payload.buffer });
  };
  if (side === 'send') {
    port.onmessage = ({ data }: MessageEvent<Insertion>) => {
      waiting.push({ ...data, until: performance.now() + patience, sent: new Map() });
    };
  }
  const transform = (frame: RTCEncodedVideoFrame, controller: TransformStreamDefaultController) => {
    if (side === 'send') insert(frame);
    else find(frame);
    controller.enqueue(frame);
  };
  void readable
    .pipeThrough(new TransformStream({ transform }))
    .pipeTo(writable)
    .catch(() => {});
}
