import { pino, type Logger } from 'pino';

export type { Logger };

/** JSON lines on standard output; one logger per process, children carry what they are about. */
export function createLogger(options: { readonly name: string; readonly level: string }): Logger {
  return pino({
    name: options.name,
    level: options.level,
    base: { app: options.name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: ['secret', '*.secret', 'authorization', '*.authorization'], censor: '[redacted]' },
  });
}
