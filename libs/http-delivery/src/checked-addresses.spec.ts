import { describe, expect, it } from 'vitest';
import { defaultPorts, formatIpAddress, networkRules, parseIpAddress, strictRules } from '#libs/core';
import { checkedAddresses, checkPeer } from './checked-addresses.js';

const looked = async (origin: string, answers: readonly string[], rules = strictRules): Promise<string[] | string> => {
  try {
    const addresses = await checkedAddresses(new URL(origin), rules, () => Promise.resolve(answers));
    return addresses.map(formatIpAddress);
  } catch (error) {
    return (error as Error).message;
  }
};

describe('checkedAddresses', () => {
  it('gives all addresses of a name when each of them may be sent to', async () => {
    expect(await looked('https://a.example', ['8.8.8.8', '2606:4700::1111'])).toEqual(['8.8.8.8', '2606:4700::1111']);
  });

  it('gives none when one may not, and does not say which it was', async () => {
    const refusal = 'a.example leads to a forbidden address: private use (RFC 1918)';
    expect(await looked('https://a.example', ['8.8.8.8', '10.9.8.7'])).toBe(refusal);
  });

  it('takes no answer that is not an address', async () => {
    expect(await looked('https://a.example', ['8.8.8.8', 'b.example'])).toMatch(/no address/);
    expect(await looked('https://a.example', [])).toBe('a.example has no address');
  });

  it('looks at what is written before it asks anybody', async () => {
    const asked: string[] = [];
    const resolve = (name: string): Promise<string[]> => Promise.resolve([`${asked.push(name)}.8.8.8`]);
    for (const origin of ['http://a.example', 'https://a.example:25', 'https://10.0.0.1']) {
      await expect(checkedAddresses(new URL(origin), strictRules, resolve)).rejects.toMatchObject({ kind: 'guard' });
    }
    await checkedAddresses(new URL('https://8.8.8.8'), strictRules, resolve);
    expect(asked).toEqual([]);
  });

  it('opens what is allowed', async () => {
    const rules = networkRules({ allowHttp: true, allowedRanges: ['10.0.0.0/8'], allowedPorts: defaultPorts });
    expect(await looked('http://a.example', ['10.9.8.7'], rules)).toEqual(['10.9.8.7']);
  });
});

describe('checkPeer', () => {
  const expected = parseIpAddress('8.8.8.8')!;

  it.each(['8.8.8.8', '::ffff:8.8.8.8'])('takes %s for 8.8.8.8', (peer) => {
    expect(() => checkPeer(peer, expected)).not.toThrow();
  });

  it('refuses any other', () => {
    expect(() => checkPeer('8.8.4.4', expected)).toThrow('the connection went to 8.8.4.4, not to 8.8.8.8');
    expect(() => checkPeer('::808:808', expected)).toThrow();
    expect(() => checkPeer(undefined, expected)).toThrow('ended as soon as it was there');
  });
});
