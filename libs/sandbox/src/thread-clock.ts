let shown = 0;

/**
 * The machine asks this thread for the time. From now on the answer is the event's, in UTC, and nothing else: what runs in
 * the machine has no other clock. Nothing else in the thread may need one of its own.
 */
export function stopClock(): void {
  Date.now = () => shown;
  Date.prototype.getTimezoneOffset = () => 0;
}

/** @param at Unix milliseconds */
export function showTime(at: number): void {
  shown = at;
}

/** CPU time that this thread has used since it began, in milliseconds. */
export function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
