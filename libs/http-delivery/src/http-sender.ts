import { strictRules, type NetworkRules, type PostResult } from '#libs/core';
import { Exchange } from './exchange.js';
import type { HttpPost } from './http-post.js';
import { OriginPools } from './origin-pools.js';
import { proxyOf, type ProxySettings } from './proxy-tunnel.js';
import { hostResolver } from './resolve-host.js';

export interface HttpSenderOptions {
  /** Where it sends to. Default: https, no special addresses, no ports below 1024 but the web's. */
  readonly rules?: NetworkRules;
  /** Name servers to ask, `address` or `address:port`. Default: as the machine is set up. */
  readonly dnsServers?: readonly string[];
  /** What it connects through. Default: nothing. */
  readonly proxy?: ProxySettings;
  /** For resolving, connecting and the handshake together. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** From the request's being written to the end of the answer's headers. Default 15,000. */
  readonly headersTimeoutMs?: number;
  /** Between two pieces of the answer's body. Default 15,000. */
  readonly bodyTimeoutMs?: number;
  /** Connections to one origin. Default 256. */
  readonly connectionsPerOrigin?: number;
  /** Idle connections are closed after this long, or earlier when the server asks for it. Default 4,000. */
  readonly keepAliveMs?: number;
  /** Bytes of an answer that are kept. Default 4,096. */
  readonly keptAnswerBytes?: number;
  /** Bytes of an answer that are read beyond those, to keep the connection; then it is cut. Default 65,536. */
  readonly drainedAnswerBytes?: number;
  /** Origins whose connections are kept; the one that was used least recently goes first. Default 1,024. */
  readonly maxOrigins?: number;
  /** An origin that had no request for this long is let go. Default 60,000. */
  readonly originIdleMs?: number;
}

export interface HttpSender {
  /** POSTs and never rejects: whatever happens is in the result. Redirects are not followed; an answer is cut at its cap. */
  post(request: HttpPost): Promise<PostResult>;
  /** Cuts what is on its way (its result says `aborted`) and closes every connection. */
  close(): Promise<void>;
}

/**
 * Sends over HTTP/1.1 with keep-alive, one request at a time per connection, and a pool per origin. Each connection goes
 * to an address that was looked at; what the guard refuses is a result of kind `guard`.
 */
export function createHttpSender(options: HttpSenderOptions = {}): HttpSender {
  const pools = new OriginPools({
    connecting: {
      rules: options.rules ?? strictRules,
      resolve: hostResolver(options.dnsServers),
      proxy: options.proxy === undefined ? null : proxyOf(options.proxy),
      timeoutMs: options.connectTimeoutMs ?? 5_000,
    },
    connections: options.connectionsPerOrigin ?? 256,
    keepAliveMs: options.keepAliveMs ?? 4_000,
    maxOrigins: options.maxOrigins ?? 1_024,
    idleMs: options.originIdleMs ?? 60_000,
  });
  const bounds = {
    headersTimeoutMs: options.headersTimeoutMs ?? 15_000,
    bodyTimeoutMs: options.bodyTimeoutMs ?? 15_000,
    keptBytes: options.keptAnswerBytes ?? 4_096,
    drainedBytes: options.drainedAnswerBytes ?? 65_536,
  };
  return {
    post: (request) => new Promise((resolve) => new Exchange(request, bounds, pools, resolve).start()),
    close: () => pools.destroy(),
  };
}
