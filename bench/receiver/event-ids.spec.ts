import { describe, expect, it } from 'vitest';
import { eventOf } from '../load.js';
import { eventIdsOf } from './event-ids.js';

const body = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe('the ids of a body', () => {
  it('is the one of an event', () => {
    expect(eventIdsOf(body(eventOf('tag', 'tenant', 7)))).toEqual(['tag.7']);
  });

  it('are those of all events of a batch, whatever ids their data has', () => {
    const events = Array.from({ length: 100 }, (_, n) => eventOf('tag', 'tenant', n));
    expect(eventIdsOf(body(events))).toEqual(events.map(({ id }) => id));
    expect(eventIdsOf(body([]))).toEqual([]);
  });
});
