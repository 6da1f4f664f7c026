import type { Config } from '#libs/config';
import { networkRules } from '#libs/core';
import type { HttpSenderOptions } from '#libs/http-delivery';

/** Where a deployment sends to, and through what. */
export function senderOptionsOf(config: Config): HttpSenderOptions {
  const { proxyUrl, httpsProxy, noProxy: bypass, dnsServers } = config;
  const options = { rules: networkRules(config), dnsServers };
  if (proxyUrl !== '') return { ...options, proxy: { url: proxyUrl, forHttp: true, bypass } };
  return httpsProxy === '' ? options : { ...options, proxy: { url: httpsProxy, forHttp: false, bypass } };
}
