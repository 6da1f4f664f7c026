import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chained, chainEndFault, emptyChain, followChain, type ChainedEntry, type ChainFault } from './audit-chain.js';
import type { AuditContent } from './audit-entry.js';

const content = fc.record<AuditContent>({
  tenantId: fc.constantFrom('', 'acme'),
  at: fc.nat(),
  actor: fc.record({ kind: fc.constantFrom('root', 'tenant', 'system'), id: fc.string(), name: fc.string() }),
  ip: fc.option(fc.string()),
  requestId: fc.option(fc.string()),
  action: fc.string(),
  resource: fc.string(),
  before: fc.jsonValue(),
  after: fc.jsonValue(),
});
const contents = fc.array(content, { minLength: 2, maxLength: 8 });

function chainOf(said: readonly AuditContent[]): ChainedEntry[] {
  let head = emptyChain;
  return said.map((one) => {
    const entry = chained(head, one);
    head = entry;
    return entry;
  });
}

/** As `posthorn audit verify` does it. */
function firstFault(entries: readonly ChainedEntry[], kept: { seq: number; hash: Buffer } | null): ChainFault | null {
  let head = emptyChain;
  for (const entry of entries) {
    const next = followChain(head, entry);
    if ('fault' in next) return next.fault;
    head = next.head;
  }
  return chainEndFault(head, kept);
}

/** What each field could be changed to: something else. */
const edits: { readonly [K in keyof AuditContent]: (value: AuditContent[K]) => AuditContent[K] } = {
  tenantId: (id) => `${id}x`,
  at: (at) => at + 1,
  actor: (actor) => ({ ...actor, id: `${actor.id}x` }),
  ip: (ip) => (ip === null ? '' : null),
  requestId: (id) => `${id ?? ''}x`,
  action: (action) => `${action}x`,
  resource: (resource) => `x${resource}`,
  before: (before) => [before],
  after: (after) => ({ after }),
};

describe('a chain of audit entries', () => {
  it('property: is whole when nothing was done to it', () => {
    fc.assert(
      fc.property(contents, (said) => {
        const entries = chainOf(said);
        expect(firstFault(entries, entries.at(-1) ?? null)).toBeNull();
        // As it comes back from the database: keys in another order, objects anew.
        const again = entries.map((entry) => ({ ...entry, after: JSON.parse(JSON.stringify(entry.after)) as unknown }));
        expect(firstFault(again, again.at(-1) ?? null)).toBeNull();
      }),
    );
  });

  it.each(Object.keys(edits) as (keyof AuditContent)[])('property: shows that %s of an entry was edited', (field) => {
    fc.assert(
      fc.property(contents, fc.nat(), (said, n) => {
        const entries = chainOf(said);
        const at = n % entries.length;
        const entry = entries[at]!;
        const edited = { ...entry, [field]: edits[field](entry[field] as never) };
        expect(firstFault(entries.with(at, edited), entries.at(-1)!)).toEqual({ kind: 'edited', seq: at + 1 });
      }),
      { numRuns: 30 },
    );
  });

  it('property: shows that an entry was edited and its hash made anew', () => {
    fc.assert(
      fc.property(contents, fc.nat(), (said, n) => {
        const entries = chainOf(said);
        const at = n % entries.length;
        const forged = chained({ seq: at, hash: entries[at]!.prevHash }, { ...said[at]!, action: 'forged by hand' });
        const last = at === entries.length - 1;
        const fault = last ? { kind: 'cut-off', seq: at + 1 } : { kind: 'unlinked', seq: at + 2 };
        expect(firstFault(entries.with(at, forged), entries.at(-1)!)).toEqual(fault);
      }),
    );
  });

  it('property: shows that entries were removed, wherever', () => {
    fc.assert(
      fc.property(contents, fc.nat(), fc.integer({ min: 1, max: 3 }), (said, n, count) => {
        const entries = chainOf(said);
        const at = n % entries.length;
        const left = entries.toSpliced(at, count);
        const kind = at + count >= entries.length ? 'cut-off' : 'gap';
        expect(firstFault(left, entries.at(-1)!)).toEqual({ kind, seq: at + 1 });
        // With their head gone, too, the entries that are there still belong to no chain.
        if (left.length > 0) expect(firstFault(left, null)).not.toBeNull();
      }),
    );
  });

  it('property: shows that the rest was numbered anew after one was removed', () => {
    fc.assert(
      fc.property(contents, fc.nat(), (said, n) => {
        const entries = chainOf(said);
        const at = n % (entries.length - 1);
        const left = entries.toSpliced(at, 1).map((entry, i) => ({ ...entry, seq: i + 1 }));
        expect(firstFault(left, entries.at(-1)!)).toEqual({ kind: 'edited', seq: at + 1 });
      }),
    );
  });

  it('property: shows that two entries changed places', () => {
    fc.assert(
      fc.property(contents, fc.nat(), fc.nat(), (said, n, m) => {
        const entries = chainOf(said);
        const [a, b] = [n % entries.length, m % entries.length];
        fc.pre(a !== b);
        const [one, other] = [entries[a]!, entries[b]!];
        const swapped = entries.with(a, { ...other, seq: one.seq }).with(b, { ...one, seq: other.seq });
        expect(firstFault(swapped, entries.at(-1)!)).toMatchObject({ seq: Math.min(a, b) + 1 });
      }),
    );
  });

  it('shows entries that stand beyond its head', () => {
    const one = { tenantId: '', at: 1, actor: { kind: 'system', id: '', name: '' }, ip: null } as const;
    const entry = { ...one, requestId: null, action: 'a', resource: 'r', before: null, after: null };
    const entries = chainOf([entry, entry]);
    expect(firstFault(entries, entries[0]!)).toEqual({ kind: 'cut-off', seq: 2 });
    expect(firstFault(entries, { seq: 2, hash: Buffer.alloc(32) })).toEqual({ kind: 'cut-off', seq: 2 });
    expect(firstFault([], null)).toBeNull();
    expect(firstFault([], { seq: 0, hash: Buffer.alloc(32) })).toBeNull();
  });
});
