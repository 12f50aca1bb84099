/**
 * Lets requests to one URL go one after the other. The server puts what it was asked for last in the place of what was
 * there, so an offer has to wait until the one before it was answered: on its way it could overtake it.
 */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Does work when all that was given for this URL before is done. */
  async take<T>(url: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(url);
    let done!: () => void;
    const turn = new Promise<void>((resolve) => (done = resolve));
    this.#last.set(url, turn);
    try {
      await before;
      return await work();
    } finally {
      done();
      if (this.#last.get(url) === turn) this.#last.delete(url);
    }
  }
}
