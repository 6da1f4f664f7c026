import type { EndpointStats } from './api-client.js';
import type { DemoEndpoint } from './endpoints.js';

const heads = ['endpoint', 'wants', 'matched', 'delivered', 'retried', 'dead-lettered', 'p50 ms', 'p95 ms'];
/** The first columns are words, the rest are numbers. */
const words = 2;

/** The closing table, from the delivery log. */
export function endpointTable(endpoints: readonly DemoEndpoint[], stats: readonly EndpointStats[]): string {
  const rows = endpoints.map(({ id, name, eventTypes }) => {
    const of = stats.find(({ endpointId }) => endpointId === id);
    const numbers = [of?.matched, of?.delivered, of?.retried, of?.deadLettered, of?.latencyP50Ms, of?.latencyP95Ms];
    return [name, eventTypes.join(' '), ...numbers.map(shown)];
  });
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column < words ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(heads), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

const shown = (value: number | null | undefined): string =>
  value === undefined ? '0' : value === null ? '-' : Math.round(value).toLocaleString('en');
