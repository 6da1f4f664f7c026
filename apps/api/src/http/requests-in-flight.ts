/** Counts requests, so that a stopping process can let them finish. */
export class RequestsInFlight {
  #count = 0;
  #stopping = false;
  #idle: (() => void) | null = null;

  get stopping(): boolean {
    return this.#stopping;
  }

  started(): void {
    this.#count += 1;
  }

  ended(): void {
    this.#count -= 1;
    if (this.#count === 0) this.#idle?.();
  }

  /** Takes no more; resolves when none is left, or after `timeoutMs`. @returns how many were left */
  async drain(timeoutMs: number): Promise<number> {
    this.#stopping = true;
    if (this.#count === 0) return 0;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
    return this.#count;
  }
}
