import { describe, expect, it } from 'vitest';
import { parseConfig } from '#libs/config';
import { senderOptionsOf } from './sender-options.js';

const proxyOf = (env: Record<string, string>) => senderOptionsOf(parseConfig(env)).proxy;

describe('senderOptionsOf', () => {
  it('takes a proxy of its own for all, and HTTPS_PROXY for https alone', () => {
    const [own, common] = ['http://own:3128', 'http://common:3128'];
    expect(proxyOf({})).toBeUndefined();
    expect(proxyOf({ HTTPS_PROXY: common, NO_PROXY: 'a,b' })).toEqual({
      url: common,
      forHttp: false,
      bypass: ['a', 'b'],
    });
    expect(proxyOf({ HTTPS_PROXY: common, POSTHORN_PROXY_URL: own })).toEqual({ url: own, forHttp: true, bypass: [] });
  });

  it('passes the rules on', () => {
    const options = senderOptionsOf(
      parseConfig({
        POSTHORN_ALLOW_HTTP: 'true',
        POSTHORN_ALLOWED_RANGES: '10.0.0.0/8',
        POSTHORN_ALLOWED_PORTS: '443',
      }),
    );
    expect(options.rules).toMatchObject({
      allowHttp: true,
      allowedRanges: [{ text: '10.0.0.0/8' }],
      allowedPorts: [{ least: 443, most: 443 }],
    });
    expect(senderOptionsOf(parseConfig({ POSTHORN_DNS_SERVERS: '10.0.0.2' })).dnsServers).toEqual(['10.0.0.2']);
  });
});
