import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { Socket } from 'node:net';
import { proxyBypass, type ProxyBypass } from '#libs/core';
import { ConnectFailure } from './connect-failure.js';
import { errorMessageOf } from './error-kind.js';

/** A forward proxy (RFC 9110 §9.3.6). */
export interface ProxySettings {
  /** `http:` or `https:`, with user and password if it asks for them. */
  readonly url: string;
  /** Whether `http:` endpoints are reached through it too. */
  readonly forHttp: boolean;
  /** As in `NO_PROXY`. */
  readonly bypass: readonly string[];
}

export interface Proxy {
  readonly url: URL;
  readonly forHttp: boolean;
  readonly isBypassed: ProxyBypass;
}

export function proxyOf({ url, forHttp, bypass }: ProxySettings): Proxy {
  return { url: new URL(url), forHttp, isBypassed: proxyBypass(bypass) };
}

const badGateway = 502;
const gatewayTimeout = 504;

/**
 * A connection through the proxy to an address that was looked at: were it told the name, it would resolve it itself,
 * and go where the guard has not looked. The proxy's own address is the operator's affair.
 * @param authority `address:port`, IPv6 in brackets
 * @throws ConnectFailure `proxy` when it is the proxy's fault, `refused` or `connect-timeout` when it could not get through
 */
export function openTunnel({ url }: Proxy, authority: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? secureRequest : plainRequest)({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      method: 'CONNECT',
      path: authority,
      // RFC 9112 §3.2.3: the same as the target. The endpoint's name stands in what goes through the tunnel.
      headers: { host: authority, ...authorization(url) },
      setHost: false,
      agent: false,
      signal,
    });
    request.once('connect', ({ statusCode = 0 }, socket, head) => {
      // Stays for good: an error between two owners of the socket must not end the process.
      socket.on('error', () => undefined);
      if (statusCode >= 200 && statusCode < 300) {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(refusal(statusCode));
    });
    request.on('error', (cause) => {
      if (signal.aborted) reject(signal.reason as Error);
      else reject(new ConnectFailure('proxy', `the proxy cannot be reached: ${errorMessageOf(cause)}`, { cause }));
    });
    request.once('response', (response) => {
      response.destroy();
      reject(refusal(response.statusCode ?? 0));
    });
    request.end();
  });
}

function refusal(status: number): ConnectFailure {
  const message = `the proxy answered ${status}`;
  if (status === badGateway) return new ConnectFailure('refused', message);
  return new ConnectFailure(status === gatewayTimeout ? 'connect-timeout' : 'proxy', message);
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` };
}
