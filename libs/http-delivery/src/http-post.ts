import type { ClientTls } from './client-tls.js';

/** One POST, or another request that is sent by the same rules. The caller has signed it; `headers` are sent as they are. */
export interface HttpPost {
  /** Default POST. Others have an empty body. */
  readonly method?: 'POST' | 'OPTIONS';
  /** Scheme, host and port: `https://example.com:8443`. */
  readonly origin: string;
  /** Path and query, beginning with `/`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** How the body goes over the wire; the header that says so is the caller's. */
  readonly encoding: 'identity' | 'gzip';
  /** For the whole of it, from the call on, in milliseconds. */
  readonly timeoutMs: number;
  /** Bytes of the answer that are kept; default: as many as of any. */
  readonly keptAnswerBytes?: number;
  /** Keep the object with the endpoint: connections are shared by what is equal, which is worked out once per object. */
  readonly tls?: ClientTls;
}
