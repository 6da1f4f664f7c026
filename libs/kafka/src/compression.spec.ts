import { describe, expect, it } from 'vitest';
import { lz4Decompress } from './lz4.js';
import { decodeBatches } from './record-batch.js';
import { snappyDecompress } from './snappy.js';

/** The same three records, appended by the Java client with each of its compressions, as a broker gives them back. */
const golden = {
  snappy:
    'AAAAAAAAAAAAAAFDAAAAAAIOYWV4AAIAAAACAAABogn9JnEAAAGiCf0mmwAAAAAAAABRAAAAAAAAAAAAA4JTTkFQUFkAAAAAAQAAAAEAAAD+0wJg3gEAAAAEazDMAXsiaWQiOjAsInRhc2siOgUH8FsuY29tcGxldGVkIiwidGV4dCI6ImxvcmVkIGlwcGxxIGJvcWVxIGlwZnVtIGxvcmVtcmlwcnNtIGxmcmVtIHJwanV0IGx4cmVuIGloc3VtaCJ9AN4BAFQCBGsxzA1xADGScQAgYmVqcGlvbSBnAWUMc2lwcwFxEGlxZW0gCQxcdnRycXQgaWZ1dW1qbG5yZW1uaXBydW0gDXEMBARrMhHiADKOcQAcdWYgYnBzdm0F1ixhIGl4c29tIGVvcmoFcXR5bW5senNlbiBuYXN1bXdsbnJlbWhpcHN1bSAifQA=',
  lz4: 'AAAAAAAAAAAAAAE9AAAAAAK0ys96AAMAAAACAAABogn9JsgAAAGiCf0m1gAAAAAAAABSAAAAAAAAAAAAAwQiTRhgQIL9AAAA8QreAQAAAARrMMwBeyJpZCI6MCwidGFzayI6BwDwHS5jb21wbGV0ZWQiLCJ0ZXh0IjoibG9yZWQgaXBwbHEgYm9xZXEgaXBmdW0gGAD0HG1yaXByc20gbGZyZW0gcnBqdXQgbHhyZW4gaWhzdW1oIn0A3gEAHAIEazFxAB8xcQAS8AJiZWpwaW9tIGdvcmVtc2lwc3EAUmlxZW0gDADzCXZ0cnF0IGlmdXVtamxucmVtbmlwcnVtIHEARAQEazJxAB8ycQARcnVmIGJwc3bWAMFhIGl4c29tIGVvcmpxAPEAeW1ubHpzZW4gbmFzdW13cQCgaGlwc3VtICJ9AAAAAAA=',
  gzip: 'AAAAAAAAAAAAAAD/AAAAAAI6LrCiAAEAAAACAAABogn9JvUAAAGiCf0m9wAAAAAAAABTAAAAAAAAAAAAAx+LCAAAAAAAAP+Nz0sOgkAMBuDBzEGaWRuDLL0NyCCFeT8QNd7QM3gWC4S9q/750+RrvwVjjI/lp3gJbMWlPIpUx1Fc1nG6Wu2UTLIV1Ms5Ua9skC2gc8pDY730lLusYel1QBci5Y4yBDfkBGoO0gD2MetevNm3YIcDH887eP4LbOTg0Gq4LUhEFxcQPSFbnlLwCbDLWQ/K0I6hQ6jfQM75WO1g9Q+YO2hcnLavasA5Ei5tGFbwoY16RvrK1ITfV7DfDiHwBwJNoZVTAQAA',
  zstd: 'AAAAAAAAAAAAAAEHAAAAAAJrS2rvAAQAAAACAAABogn9JxEAAAGiCf0nHwAAAAAAAABUAAAAAAAAAAAAAyi1L/0AWFQGAEKNKiWwpTksaBiGRaPW7LZNypRkkjKFbFq7ae0Z/EBbYwXJtGna2ogMSZFOAb9XFi79A7XY4HuRH2eKzD5aVBLfCzYPgYCOIwD5ee9i9aUefq9ZdM1dAlnbfu+zOiNAZtuPLocDdBQAkrFIinT4vbO41COF7j3tyOqNQn7vdVZnCvk1vdi0sQWb6l5k1JnKJF2kLpFk1KlqZgMCSUKvuEQMSTKbCEaCATpSSsYiCwAMGwE67suawQJy4WnogMfLvCAA4MlGBzLpKngBAAA=',
};

const read = (recordSet: string) =>
  decodeBatches(Buffer.from(recordSet, 'base64'), { topic: 't', partition: 0 }, 0).records.map(({ key, value }) => [
    String(key),
    String(value),
  ]);

describe('compressed batches of other clients', () => {
  it.each(['snappy', 'lz4', 'gzip', 'zstd'] as const)('are read (%s)', (codec) => {
    const records = read(golden[codec]);
    expect(records.map(([key]) => key)).toEqual(['k0', 'k1', 'k2']);
    for (const [index, [, value]] of records.entries()) {
      const event = JSON.parse(value ?? '') as { id: number; task: string; text: string };
      expect(event).toMatchObject({ id: index, task: 'task.completed' });
      expect(event.text).toHaveLength(60);
    }
    expect(records).toEqual(read(golden.gzip));
  });

  it('are refused when they are broken, instead of read wrongly', () => {
    // A copy from before the beginning; a literal that is not there.
    expect(() => snappyDecompress(Buffer.from([4, 0x01, 0x09]))).toThrow(RangeError);
    expect(() => snappyDecompress(Buffer.from([4, 0x0c, 0x61]))).toThrow(RangeError);
    expect(() => lz4Decompress(Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]))).toThrow(RangeError);
  });
});
