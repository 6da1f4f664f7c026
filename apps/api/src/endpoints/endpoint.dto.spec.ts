import { describe, expect, it } from 'vitest';
import { urlFault } from './endpoint.dto.js';

describe('urlFault', () => {
  it.each([
    ['https://example.com/hooks?a=b', false, null],
    ['http://127.0.0.1:8080/', true, null],
    ['http://127.0.0.1:8080/', false, 'Must begin with https://'],
    ['ftp://example.com/', true, 'Must begin with https:// or http://'],
    ['example.com', true, 'Must be an absolute URL'],
    ['https://', true, 'Must be an absolute URL'],
    ['https://user@example.com/', true, 'Must not hold a user name or password'],
    ['https://example.com/\na', true, 'Must not hold spaces or control characters'],
    ['https://example.com/#top', true, 'Must not hold a fragment'],
  ])('%s (http allowed: %s)', (url, allowHttp, fault) => {
    expect(urlFault(url, allowHttp)).toBe(fault);
  });
});
