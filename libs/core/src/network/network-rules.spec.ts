import { describe, expect, it } from 'vitest';
import { destinationFault, networkRules, strictRules } from './network-rules.js';
import { parsePortRange } from './port-range.js';

const open = networkRules({
  allowHttp: true,
  allowedRanges: ['127.0.0.0/8', 'none'],
  allowedPorts: ['443', '8000-8999'],
});
const ports = 'must have one of the ports 80, 443, 1024-65535, not';

describe('destinationFault', () => {
  it.each([
    ['https://example.com/', null],
    ['https://example.com:8443/', null],
    ['http://example.com/', 'must begin with https://'],
    ['ftp://example.com/', 'must begin with https://'],
    ['https://example.com:25/', `${ports} 25`],
    ['https://example.com:22/', `${ports} 22`],
    ['https://127.0.0.1/', 'must not lead to loopback (RFC 1122)'],
    ['https://2130706433/', 'must not lead to loopback (RFC 1122)'],
    ['https://0177.0.0.1/', 'must not lead to loopback (RFC 1122)'],
    ['https://0x7f.1/', 'must not lead to loopback (RFC 1122)'],
    ['https://[::ffff:7f00:1]/', 'must not lead to loopback (RFC 1122)'],
    ['https://[fd00:ec2::254]/', 'must not lead to a metadata service'],
    ['https://8.8.8.8/', null],
  ])('strictly, %s: %s', (url, fault) => {
    expect(destinationFault(new URL(url), strictRules)).toBe(fault);
  });

  it.each([
    ['http://127.0.0.1:8000/', null],
    ['http://127.0.0.1/', 'must have one of the ports 443, 8000-8999, not 80'],
    ['https://127.0.0.1/', null],
    ['https://10.0.0.1/', 'must not lead to private use (RFC 1918)'],
    ['ftp://127.0.0.1/', 'must begin with https:// or http://'],
  ])('by other rules, %s: %s', (url, fault) => {
    expect(destinationFault(new URL(url), open)).toBe(fault);
  });
});

describe('networkRules', () => {
  it('names what is no range', () => {
    const settings = { allowHttp: false, allowedRanges: [], allowedPorts: [] };
    expect(() => networkRules({ ...settings, allowedRanges: ['10.0.0.1/8'] })).toThrow('"10.0.0.1/8" is not a range');
    expect(() => networkRules({ ...settings, allowedPorts: ['0'] })).toThrow('"0" is not a range');
  });
});

describe('parsePortRange', () => {
  it.each(['', '0', '65536', '9-8', '1-', '-1', '1-2-3', '1e3'])('%s is none', (text) => {
    expect(parsePortRange(text)).toBeNull();
  });

  it('takes one port, or from one to another', () => {
    expect(parsePortRange('443')).toEqual({ text: '443', least: 443, most: 443 });
    expect(parsePortRange('1-65535')).toEqual({ text: '1-65535', least: 1, most: 65_535 });
  });
});
