import { createHash } from 'node:crypto';

/** What the metadata of a commit of an events partition holds, besides the offset that was committed (DESIGN §4). */
export interface SourcePosition {
  /** Incarnation of the log: part of every delivery id that comes from it. */
  readonly incarnation: number;
  /** `fingerprintOf` the record before the commit; null when there was none. */
  readonly fingerprint: string | null;
}

/** As much of a record of the log as its fingerprint takes in. */
export interface FingerprintedRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** 96 bits that tell a record from what another log would hold at its offset. */
export function fingerprintOf({ offset, timestamp, key, value }: FingerprintedRecord): string {
  const sizes = `${offset}/${timestamp}/${key?.length ?? -1}/${value?.length ?? -1}/`;
  const hash = createHash('sha256').update(sizes);
  if (key !== null) hash.update(key);
  if (value !== null) hash.update(value);
  return hash.digest('base64url').slice(0, 16);
}

/** `1;<incarnation>;<fingerprint or ->`: version, then the fields. */
export function encodeSourcePosition({ incarnation, fingerprint }: SourcePosition): string {
  return `1;${incarnation};${fingerprint ?? '-'}`;
}

/** @returns null for what this version cannot read. */
export function decodeSourcePosition(metadata: string): SourcePosition | null {
  const match = /^1;(0|[1-9]\d{0,8});(-|[A-Za-z0-9_-]{16})$/.exec(metadata);
  if (match === null) return null;
  const fingerprint = match[2] ?? '-';
  return { incarnation: Number(match[1]), fingerprint: fingerprint === '-' ? null : fingerprint };
}

/** Why a partition stops until someone decides. */
export type SourceAlarm = 'commit-outside-log' | 'unreadable-metadata' | 'fingerprint-mismatch';

export type SourceCheck =
  | { readonly kind: 'ok'; readonly incarnation: number; readonly offset: number }
  | { readonly kind: 'alarm'; readonly reason: SourceAlarm; readonly detail: string };

export interface SourceLog {
  readonly committed: { readonly offset: number; readonly metadata: string } | null;
  /** First offset that is still there, and the one after the last. */
  readonly bounds: { readonly start: number; readonly end: number };
  /** The record at `committed.offset - 1`, if it is still there. */
  readonly before: FingerprintedRecord | null;
}

/**
 * Where to go on in a partition of events: at the commit, if the log is the one that it was made in. Without a commit, at
 * the log's start, as incarnation 0. Anything else is an alarm: never a reset.
 */
export function checkSource({ committed, bounds, before }: SourceLog): SourceCheck {
  if (committed === null) return { kind: 'ok', incarnation: 0, offset: bounds.start };
  const { offset } = committed;
  if (offset < bounds.start || offset > bounds.end) {
    return alarm(
      'commit-outside-log',
      `the commit ${offset} lies outside of the log, which reaches from ${bounds.start} to ${bounds.end}`,
    );
  }
  const position = decodeSourcePosition(committed.metadata);
  if (position === null) {
    return alarm(
      'unreadable-metadata',
      `the commit ${offset} was not made by a dispatcher: its metadata is unreadable`,
    );
  }
  const { incarnation, fingerprint } = position;
  // Below the log's start there is nothing left to compare.
  if (fingerprint === null || offset <= bounds.start) return { kind: 'ok', incarnation, offset };
  const found = before?.offset === offset - 1 ? fingerprintOf(before) : null;
  if (found === fingerprint) return { kind: 'ok', incarnation, offset };
  return alarm(
    'fingerprint-mismatch',
    `the record before the commit ${offset} is not the one that was there when it was made: this is another log`,
  );
}

const alarm = (reason: SourceAlarm, detail: string): SourceCheck => ({ kind: 'alarm', reason, detail });
