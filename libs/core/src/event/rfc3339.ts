/** A point in time as RFC 3339 can say it: whole milliseconds, and the nanoseconds below them (0 to 999,999). */
export interface Instant {
  readonly epochMs: number;
  readonly subMsNanos: number;
}

/**
 * Parses an RFC 3339 date-time (`2026-03-01T12:00:00.123456+02:00`). Looks at characters instead of using a regular
 * expression: it stands in the way of every event. Digits below a nanosecond are dropped; second 60 (a leap second)
 * is the next minute's first.
 * @returns null for anything else, also for days that no calendar has
 */
export function parseRfc3339(text: string): Instant | null {
  const length = text.length;
  if (length < 20 || length > 64) return null;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const second = digits(text, 17, 2);
  if (text[4] !== '-' || text[7] !== '-' || text[13] !== ':' || text[16] !== ':') return null;
  if (text[10] !== 'T' && text[10] !== 't') return null;
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return null;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return null;

  let at = 19;
  let nanos = 0;
  if (text[at] === '.') {
    at += 1;
    const from = at;
    let unit = 100_000_000;
    for (let digit = digits(text, at, 1); digit >= 0; digit = digits(text, at, 1)) {
      nanos += digit * unit;
      unit = Math.floor(unit / 10);
      at += 1;
    }
    if (at === from) return null;
  }
  const offset = offsetMinutes(text, at);
  if (offset === null) return null;
  const epochMs = dayMs(year, month, day) + hour * 3_600_000 + (minute - offset) * 60_000 + second * 1_000;
  return { epochMs: epochMs + Math.floor(nanos / 1_000_000), subMsNanos: nanos % 1_000_000 };
}

/** Midnight UTC of a day in Unix milliseconds; null when no calendar has that day. */
export function epochMsOfDay(year: number, month: number, day: number): number | null {
  return month < 1 || month > 12 || day < 1 || day > daysOf(year, month) ? null : dayMs(year, month, day);
}

/** Minutes east of Greenwich of what stands from `at` to the end: `Z` or `+hh:mm`. */
function offsetMinutes(text: string, at: number): number | null {
  const sign = text[at];
  if (sign === 'Z' || sign === 'z') return text.length === at + 1 ? 0 : null;
  if ((sign !== '+' && sign !== '-') || text.length !== at + 6 || text[at + 3] !== ':') return null;
  const hours = digits(text, at + 1, 2);
  const minutes = digits(text, at + 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return null;
  const total = hours * 60 + minutes;
  return sign === '+' ? total : -total;
}

/** The number that `count` digits spell; -1 if one of them is none. */
function digits(text: string, from: number, count: number): number {
  let value = 0;
  for (let i = from; i < from + count; i += 1) {
    const code = text.charCodeAt(i) - 48;
    if (!(code >= 0 && code <= 9)) return -1;
    value = value * 10 + code;
  }
  return value;
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysOf(year: number, month: number): number {
  if (month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)) return 29;
  return monthDays[month - 1] ?? 0;
}

function dayMs(year: number, month: number, day: number): number {
  // Date.UTC takes years below 100 for those of the last century.
  if (year >= 100 || year < 0) return Date.UTC(year, month - 1, day);
  return new Date(0).setUTCFullYear(year, month - 1, day);
}
