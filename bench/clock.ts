/**
 * Milliseconds of the machine's monotonic clock, the same in every process on it: what one process writes down can be
 * compared with what another does. (`performance.timeOrigin` differs between processes when the wall clock is adjusted.)
 */
export function machineMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
