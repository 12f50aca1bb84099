// A bad network between a page and the media port of a server: a UDP relay with one queue for each page.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const longest = 300; // milliseconds that a packet may wait

export class Shaper {
  /** Bits a second towards the pages. */
  rate = Infinity;
  /** Nothing gets through. */
  cut = false;
  dropped = 0;
  #links = new Map(); // by the page's address

  /** Starts a relay to host:port. */
  static async start(target) {
    const shaper = new Shaper();
    const at = target.lastIndexOf(':');
    shaper.target = { host: target.slice(0, at), port: Number(target.slice(at + 1)) };
    shaper.socket = createSocket('udp4', (packet, from) => shaper.#up(packet, from)).bind(0, '127.0.0.1');
    await once(shaper.socket, 'listening');
    return shaper;
  }

  get port() {
    return this.socket.address().port;
  }

  close() {
    this.socket.close();
    for (const link of this.#links.values()) link.socket.close();
  }

  #up(packet, from) {
    if (this.cut) return;
    const key = `${from.address}:${from.port}`;
    let link = this.#links.get(key);
    if (!link) {
      link = { socket: createSocket('udp4', (answer) => this.#down(answer, from)) };
      this.#links.set(key, link);
    }
    link.socket.send(packet, this.target.port, this.target.host);
  }

  // All connections of the page share the link, as they would share its access line.
  #free = 0;
  #down(packet, to) {
    if (this.cut) return;
    const now = performance.now();
    const begin = Math.max(now, this.#free);
    if (begin - now > longest) {
      this.dropped++;
      return;
    }
    this.#free = begin + (packet.length + 28) * 8 * 1000 / this.rate;
    const wait = this.#free - now;
    if (wait < 1) this.socket.send(packet, to.port, to.address);
    else setTimeout(() => this.cut || this.socket.send(packet, to.port, to.address), wait);
  }
}
