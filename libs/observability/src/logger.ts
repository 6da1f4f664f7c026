import { pino, type DestinationStream, type Logger } from 'pino';
import { redactedLine } from './redaction.js';

export type { Logger };

/**
 * JSON lines on standard output, without secrets; one logger per process, children carry what they are about.
 * @param to instead of standard output
 */
export function createLogger(
  options: { readonly name: string; readonly level: string },
  to: DestinationStream = pino.destination(1),
): Logger {
  return pino(
    {
      name: options.name,
      level: options.level,
      base: { app: options.name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redactedLine },
    },
    to,
  );
}
