import { describe, expect, it } from 'vitest';
import { RequestStream } from './request-stream.js';

const post = (path: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\nWebhook-Id: msg_1\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('a request stream', () => {
  it('gives each request once, however its bytes are cut', () => {
    const bytes = Buffer.from(post('/a', '{"id":"1"}') + post('/b', '') + post('/c', '\r\n\r\n'));
    for (let size = 1; size <= bytes.length; size += 1) {
      const seen: string[] = [];
      const stream = new RequestStream(({ path, webhookId, body }) =>
        seen.push(`${path} ${webhookId} ${body.toString()}`),
      );
      for (let at = 0; at < bytes.length; at += size) stream.take(bytes.subarray(at, at + size));
      expect(seen).toEqual(['/a msg_1 {"id":"1"}', '/b msg_1 ', '/c msg_1 \r\n\r\n']);
    }
  });

  it('refuses what it does not understand', () => {
    const stream = new RequestStream(() => undefined);
    expect(() => stream.take(Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'))).toThrow('not a POST');
  });
});
