import { describe, expect, it } from 'vitest';
import { parseIpAddress } from './ip-address.js';
import { proxyBypass } from './proxy-bypass.js';

const bypassed = (entries: string, host: string, ...addresses: string[]): boolean =>
  proxyBypass(entries.split(','))(
    host,
    addresses.map((one) => parseIpAddress(one)!),
  );

describe('proxyBypass', () => {
  it.each([
    ['*', 'example.com', ['8.8.8.8'], true],
    ['example.com', 'example.com', ['8.8.8.8'], true],
    ['example.com', 'a.EXAMPLE.com.', ['8.8.8.8'], true],
    ['.example.com', 'a.example.com', ['8.8.8.8'], true],
    ['*.example.com', 'a.example.com', ['8.8.8.8'], true],
    ['example.com', 'an-example.com', ['8.8.8.8'], false],
    ['10.0.0.0/8', 'a.b', ['10.1.2.3', '10.0.0.1'], true],
    ['10.0.0.0/8', 'a.b', ['10.1.2.3', '8.8.8.8'], false],
    ['10.0.0.0/8', 'a.b', [], false],
    ['127.0.0.1', '127.0.0.1', ['127.0.0.1'], true],
  ])('%s, for %s at %s: %s', (entries, host, addresses, expected) => {
    expect(bypassed(entries, host, ...addresses)).toBe(expected);
  });
});
