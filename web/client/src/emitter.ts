type Listener<A extends unknown[]> = (...args: A) => void;

/** Calls listeners in the order in which they were added. M has the arguments of each event. */
export class Emitter<M extends { [K in keyof M]: unknown[] }> {
  readonly #listeners = new Map<unknown, { listener: unknown; context: unknown }[]>();

  /** Calls listener on every event of this kind, with context as `this`. */
  on<K extends keyof M>(event: K, listener: Listener<M[K]>, context?: unknown): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), { listener, context }]);
  }

  /** Undoes on with the same arguments. */
  off<K extends keyof M>(event: K, listener: Listener<M[K]>, context?: unknown): void {
    const rest = (this.#listeners.get(event) ?? []).filter((e) => e.listener !== listener || e.context !== context);
    this.#listeners.set(event, rest);
  }

  /** Calls the listeners. One that throws does not keep the others from being called. */
  protected emit<K extends keyof M>(event: K, ...args: M[K]): void {
    for (const { listener, context } of this.#listeners.get(event) ?? []) {
      attempt(() => (listener as Listener<M[K]>).apply(context, args));
    }
  }
}

/** Runs code of the application; what it throws is reported as an uncaught error, and undefined is returned. */
export function attempt<T>(code: () => T): T | undefined {
  try {
    return code();
  } catch (error) {
    if (typeof reportError === 'function') reportError(error);
    else console.error(error);
    return undefined;
  }
}
