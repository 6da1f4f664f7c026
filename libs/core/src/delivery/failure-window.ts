const slots = 10;

/** Counts POSTs and failures of the last `windowMs`, a tenth of it at a time: the running tenth and the nine before it. */
export class FailureWindow {
  /** By tenth: POSTs, failures. */
  readonly #counts = new Uint32Array(slots * 2);
  #slotMs = 0;
  /** Number of the running tenth since time 0. */
  #slot = 0;
  #requests = 0;
  #failures = 0;

  add(failed: boolean, windowMs: number, now: number): void {
    this.#roll(windowMs, now);
    const at = (this.#slot % slots) * 2;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#requests += 1;
    if (!failed) return;
    this.#counts[at + 1] = (this.#counts[at + 1] ?? 0) + 1;
    this.#failures += 1;
  }

  requests(windowMs: number, now: number): number {
    this.#roll(windowMs, now);
    return this.#requests;
  }

  failures(windowMs: number, now: number): number {
    this.#roll(windowMs, now);
    return this.#failures;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#requests = 0;
    this.#failures = 0;
  }

  #roll(windowMs: number, now: number): void {
    const slotMs = windowMs / slots;
    const slot = Math.floor(now / slotMs);
    if (slotMs === this.#slotMs && slot === this.#slot) return;
    // Another length: the tenths do not fit any more.
    if (slotMs !== this.#slotMs || slot - this.#slot >= slots) this.clear();
    else for (let passed = this.#slot + 1; passed <= slot; passed += 1) this.#empty((passed % slots) * 2);
    this.#slotMs = slotMs;
    this.#slot = slot;
  }

  #empty(at: number): void {
    this.#requests -= this.#counts[at] ?? 0;
    this.#failures -= this.#counts[at + 1] ?? 0;
    this.#counts[at] = 0;
    this.#counts[at + 1] = 0;
  }
}
