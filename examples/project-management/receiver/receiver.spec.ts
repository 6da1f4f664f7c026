import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random.js';
import { Inbox } from './inbox.js';
import { answerOf, natureOf, natures } from './nature.js';
import { RecentIds } from './recent-ids.js';
import { Receipts } from './record.js';

describe('answerOf', () => {
  it('fails three in ten when flaky, the same ones for the same seed', () => {
    const statuses = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 2_000 }, () => answerOf('flaky', random).status);
    };
    expect(statuses(3)).toEqual(statuses(3));
    const failed = statuses(3).filter((status) => status === 503).length;
    expect(failed).toBeGreaterThan(500);
    expect(failed).toBeLessThan(700);
  });

  it('serves a path for each nature and no other', () => {
    expect(natures.map((nature) => natureOf(`/${nature}`))).toEqual([...natures]);
    expect(natureOf('/steady/x')).toBeNull();
  });
});

describe('RecentIds', () => {
  it('knows an id again until newer ones have displaced it', () => {
    const ids = new RecentIds(2);
    expect([ids.add('a'), ids.add('a'), ids.add('b'), ids.add('c'), ids.add('a')]).toEqual([
      true,
      false,
      true,
      true,
      true,
    ]);
  });
});

describe('Inbox', () => {
  it('processes afterwards, and each webhook-id of a path once', async () => {
    const processed: string[] = [];
    const inbox = new Inbox(10, ({ path, id }) => processed.push(`${path} ${id}`));
    const body = Buffer.from('{}');
    inbox.put({ path: '/steady', id: 'msg_1', body });
    inbox.put({ path: '/steady', id: 'msg_1', body });
    inbox.put({ path: '/slow', id: 'msg_1', body });
    expect(processed).toEqual([]);
    await turn();
    inbox.put({ path: '/steady', id: 'msg_1', body });
    await turn();
    expect(processed).toEqual(['/steady msg_1', '/slow msg_1']);
  });
});

describe('Receipts', () => {
  it('counts facts per path and id, and forgets the oldest beyond its bound', () => {
    const receipts = new Receipts(1);
    receipts.count('/a', 'm1', 'arrivals');
    receipts.count('/a', 'm2', 'arrivals');
    receipts.count('/a', 'm2', 'valid');
    expect(receipts.toJson()).toEqual({ '/a': { m2: { arrivals: 1, valid: 1, acknowledged: 0, processed: 0 } } });
  });
});
