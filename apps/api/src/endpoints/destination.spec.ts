import { describe, expect, it } from 'vitest';
import { defaultPorts, networkRules } from '#libs/core';
import { urlFault } from './destination.js';

describe('urlFault', () => {
  it.each([
    ['https://example.com/hooks?a=b', false, null],
    ['http://127.0.0.1:8080/', true, null],
    ['http://127.0.0.1:8080/', false, 'The URL must begin with https://'],
    ['ftp://example.com/', true, 'The URL must begin with https:// or http://'],
    ['https://10.0.0.1/', true, 'The URL must not lead to private use (RFC 1918)'],
    ['https://167772161/', true, 'The URL must not lead to private use (RFC 1918)'],
    ['https://example.com:25/', true, 'The URL must have one of the ports 80, 443, 1024-65535, not 25'],
    ['example.com', true, 'Must be an absolute URL'],
    ['https://', true, 'Must be an absolute URL'],
    ['https://user@example.com/', true, 'Must not hold a user name or password'],
    ['https://example.com/\na', true, 'Must not hold spaces or control characters'],
    ['https://example.com/#top', true, 'Must not hold a fragment'],
  ])('%s (http allowed: %s)', (url, allowHttp, fault) => {
    const rules = networkRules({ allowHttp, allowedRanges: ['127.0.0.1'], allowedPorts: defaultPorts });
    expect(urlFault(url, rules)).toBe(fault);
  });
});
