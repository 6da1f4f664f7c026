import { hash } from 'node:crypto';
import { auditDigest, type AuditContent } from './audit-entry.js';

/** An entry in its place: each tenant's entries, and the platform's own, are one chain. */
export interface ChainedEntry extends AuditContent {
  /** Counts from 1, without a gap. */
  readonly seq: number;
  /** The hash of the entry before it; zeros for the first. */
  readonly prevHash: Buffer;
  readonly hash: Buffer;
}

/** How far a chain has come: of the entry that was added last. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: Buffer;
}

export type ChainFault =
  /** Entries from this number on, before the one that is there, are gone. */
  | { readonly kind: 'gap'; readonly seq: number }
  /** The entry of this number does not say what was said when it was added. */
  | { readonly kind: 'edited'; readonly seq: number }
  /** The entry of this number follows another than the one before it. */
  | { readonly kind: 'unlinked'; readonly seq: number }
  /** The chain's head says that there is an entry of this number, and there is none; or it is another. */
  | { readonly kind: 'cut-off'; readonly seq: number };

/** Where a chain begins. */
export const emptyChain: ChainHead = { seq: 0, hash: Buffer.alloc(32) };

/** SHA-256 over the hash before, the number (8 bytes, big-endian) and the digest. PostgreSQL makes the same. */
export function chainHash(previous: Uint8Array, seq: number, digest: Uint8Array): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(seq));
  return hash('sha256', Buffer.concat([previous, number, digest]), 'buffer');
}

/** Adds an entry. */
export function chained(head: ChainHead, content: AuditContent): ChainedEntry {
  const seq = head.seq + 1;
  return { ...content, seq, prevHash: head.hash, hash: chainHash(head.hash, seq, auditDigest(content)) };
}

/** Looks at the next entry of a chain, in the order of `seq`. Go on with the head; a fault is the first one. */
export function followChain(
  head: ChainHead,
  entry: ChainedEntry,
): { readonly head: ChainHead } | { readonly fault: ChainFault } {
  if (entry.seq !== head.seq + 1) return { fault: { kind: 'gap', seq: head.seq + 1 } };
  const { seq } = entry;
  if (!entry.hash.equals(chainHash(entry.prevHash, seq, auditDigest(entry)))) return { fault: { kind: 'edited', seq } };
  if (!entry.prevHash.equals(head.hash)) return { fault: { kind: 'unlinked', seq } };
  return { head: { seq, hash: entry.hash } };
}

/** Compares where the entries end with what the chain's head says, which is kept apart from them. */
export function chainEndFault(end: ChainHead, kept: ChainHead | null): ChainFault | null {
  if (kept === null) return end.seq === 0 ? null : { kind: 'cut-off', seq: end.seq };
  if (kept.seq !== end.seq) return { kind: 'cut-off', seq: Math.min(kept.seq, end.seq) + 1 };
  return kept.hash.equals(end.hash) ? null : { kind: 'cut-off', seq: end.seq };
}
