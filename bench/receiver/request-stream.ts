/** One POST as it came over the wire. */
export interface Arrived {
  readonly path: string;
  readonly webhookId: string;
  readonly body: Buffer;
}

const headEnd = Buffer.from('\r\n\r\n');
const nothing = Buffer.alloc(0);
const requestLine = /^POST (\S+) HTTP\/1\.1\r\n/;
const contentLength = /\r\ncontent-length: *(\d+)/i;
const webhookId = /\r\nwebhook-id: *(\S+)/i;

/**
 * Cuts one connection's bytes into requests: just enough of HTTP/1.1 for POSTs with a Content-Length, so that the
 * receiver costs as little as possible of what is measured.
 */
export class RequestStream {
  #rest: Buffer = nothing;

  constructor(private readonly onRequest: (request: Arrived) => void) {}

  /** @throws Error on anything that is not such a POST */
  take(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const end = bytes.indexOf(headEnd);
      if (end === -1) break;
      const head = bytes.toString('latin1', 0, end);
      const path = requestLine.exec(head)?.[1];
      const length = contentLength.exec(head)?.[1];
      if (path === undefined || length === undefined) throw new Error(`not a POST with a length: ${head}`);
      const bodyAt = end + headEnd.length;
      const next = bodyAt + Number(length);
      if (bytes.length < next) break;
      this.onRequest({ path, webhookId: webhookId.exec(head)?.[1] ?? '', body: bytes.subarray(bodyAt, next) });
      bytes = bytes.subarray(next);
    }
    this.#rest = bytes;
  }
}
