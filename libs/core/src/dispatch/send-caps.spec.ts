import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SendCaps } from './send-caps.js';

it('no send exceeds a limit, unless by one record alone', () => {
  const record = fc.record({ partition: fc.constantFrom('p0', 'p1', 'p2'), bytes: fc.integer({ min: 1, max: 120 }) });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 100 }), (records) => {
      const limits = { partitionBytes: 100, totalBytes: 180, records: 5 };
      const caps = new SendCaps(limits);
      const sends: (typeof records)[] = [[]];
      for (const one of records) {
        if (!caps.admits(one.partition, one.bytes)) {
          expect(caps.isEmpty).toBe(false);
          caps.reset();
          sends.push([]);
        }
        caps.add(one.partition, one.bytes);
        sends.at(-1)?.push(one);
      }
      const sum = (list: typeof records) => list.reduce((total, { bytes }) => total + bytes, 0);
      for (const send of sends) {
        if (send.length <= 1) continue;
        expect(send.length).toBeLessThanOrEqual(limits.records);
        expect(sum(send)).toBeLessThanOrEqual(limits.totalBytes);
        for (const partition of ['p0', 'p1', 'p2']) {
          const there = send.filter((one) => one.partition === partition);
          if (there.length > 1) expect(sum(there)).toBeLessThanOrEqual(limits.partitionBytes);
        }
      }
      expect(sends.flat()).toEqual(records);
    }),
  );
});
