import { afterEach, beforeEach, expect, test } from 'vitest';
import { RecordingReceiver } from './index.js';

let receiver: RecordingReceiver;
beforeEach(async () => {
  receiver = await RecordingReceiver.start();
});
afterEach(() => receiver.close());

const post = (body: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${receiver.url}/hook?a=1`, { method: 'POST', body, headers: { 'webhook-id': 'msg_1' }, ...init });

test('remembers what came, byte for byte, with the time', async () => {
  const before = Date.now();
  await post('{"ü": 1}');
  const [request] = receiver.of('msg_1');
  expect(request).toMatchObject({ method: 'POST', path: '/hook?a=1', body: Buffer.from('{"ü": 1}') });
  expect(request!.at).toBeGreaterThanOrEqual(before - 1);
  expect(request!.at).toBeLessThanOrEqual(Date.now() + 1);
});

test('answers as its program says, which sees how often this id came before', async () => {
  receiver.program = (_request, _index, earlier) =>
    earlier === 0 ? { status: 503, headers: { 'retry-after': '1' }, body: 'busy', delayMs: 20 } : { status: 200 };
  const first = await post('1');
  expect([first.status, first.headers.get('retry-after'), await first.text()]).toEqual([503, '1', 'busy']);
  expect((await post('2')).status).toBe(200);
});

test('cuts the connection, or stays silent, when told to', async () => {
  receiver.program = (_request, index) => ({ kind: index === 0 ? 'cut' : 'never' });
  await expect(post('1')).rejects.toThrow('fetch failed');
  await expect(post('2', { signal: AbortSignal.timeout(100) })).rejects.toThrow('timeout');
  expect(receiver.requests).toHaveLength(2);
});

test('waits for a number of requests, and says how many came when they do not', async () => {
  const three = receiver.waitFor(3);
  await Promise.all([post('1'), post('2'), post('3')]);
  await three;
  await expect(receiver.waitFor(4, 50)).rejects.toThrow('3 of 4 requests within 50 ms');
});
