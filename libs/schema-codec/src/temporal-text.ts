/**
 * Dates and times as text: ISO 8601, as JSON carries them. Each pair is the inverse of the other on its range; the
 * parsers answer null for anything else. Years outside 0000-9999 take the form of ECMAScript (`+012345-…`).
 */
import { epochMsOfDay, parseRfc3339 } from '#libs/core';

const dayLength = 86_400_000;
/** Farthest that ECMAScript's calendar reaches, both ways. */
const maxEpochMs = 8.64e15;

/** Days since 1970 as `2026-03-01`; null when no calendar reaches it. */
export function dateText(days: number): string | null {
  const text = timestampText(days * dayLength);
  return text === null ? null : text.slice(0, text.indexOf('T'));
}

export function parseDate(text: string): number | null {
  const parts = /^(\d{4}|[+-]\d{6})-(\d{2})-(\d{2})$/.exec(text);
  if (parts === null) return null;
  const epochMs = epochMsOfDay(Number(parts[1]), Number(parts[2]), Number(parts[3]));
  return epochMs === null || !(Math.abs(epochMs) <= maxEpochMs) ? null : epochMs / dayLength;
}

/** Unix milliseconds as `2026-03-01T12:00:00.000Z`; null when no calendar reaches it. */
export function timestampText(epochMs: number): string | null {
  return Math.abs(epochMs) <= maxEpochMs ? new Date(epochMs).toISOString() : null;
}

/** Unix microseconds as `2026-03-01T12:00:00.000000Z`; always six digits. */
export function timestampMicrosText(micros: number | bigint): string | null {
  const [epochMs, rest] = splitMicros(micros);
  const text = timestampText(epochMs);
  return text === null ? null : `${text.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}

function splitMicros(micros: number | bigint): [epochMs: number, rest: number] {
  if (typeof micros === 'number') {
    const epochMs = Math.floor(micros / 1_000);
    return [epochMs, micros - epochMs * 1_000];
  }
  const rest = Number(((micros % 1_000n) + 1_000n) % 1_000n);
  return [Number((micros - BigInt(rest)) / 1_000n), rest];
}

/** Digits below a millisecond are dropped. */
export function parseTimestamp(text: string): number | null {
  return instantOf(text)?.epochMs ?? null;
}

/** Digits below a microsecond are dropped. */
export function parseTimestampMicros(text: string): bigint | null {
  const instant = instantOf(text);
  return instant === null ? null : BigInt(instant.epochMs) * 1_000n + BigInt(Math.floor(instant.subMsNanos / 1_000));
}

function instantOf(text: string): { epochMs: number; subMsNanos: number } | null {
  if (!/^[+-]\d/.test(text)) return parseRfc3339(text);
  // The year is taken for 2000, which like every 400th year has the same calendar, and put back afterwards.
  const year = Number(text.slice(0, 7));
  if (!/^[+-]\d{6}-/.test(text)) return null;
  const within = 2_000 + (((year % 400) + 400) % 400);
  const instant = parseRfc3339(`${within}${text.slice(7)}`);
  if (instant === null) return null;
  const epochMs = instant.epochMs + ((year - within) / 400) * 146_097 * dayLength;
  return Math.abs(epochMs) <= maxEpochMs ? { epochMs, subMsNanos: instant.subMsNanos } : null;
}

const second = 1_000_000;

/** Microseconds since midnight as `12:00:00.000000`, or with `digits` 3 as `12:00:00.000`; null beyond the day. */
export function timeText(micros: number, digits: 3 | 6): string | null {
  if (!(micros >= 0 && micros < 86_400 * second)) return null;
  const seconds = Math.floor(micros / second);
  const two = (value: number): string => String(value).padStart(2, '0');
  const fraction = String(micros % second).padStart(6, '0');
  return `${two(Math.floor(seconds / 3_600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${fraction.slice(0, digits)}`;
}

/** @returns microseconds since midnight */
export function parseTime(text: string): number | null {
  const parts = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?$/.exec(text);
  if (parts === null) return null;
  const [, hours, minutes, seconds, fraction = ''] = parts;
  const whole = Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
  return whole * second + Number(fraction.padEnd(6, '0').slice(0, 6));
}
