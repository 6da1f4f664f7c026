import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { parseSecret, verifyWebhook, webhookHeaders } from '#libs/core';
import { challengeOf, consentTo } from './consent.js';
import { Inbox } from './inbox.js';
import { answerOf, natureOf } from './nature.js';
import { Receipts } from './record.js';

export interface ReceiverOptions {
  readonly random: () => number;
  /** Bound of what is remembered per path. */
  readonly rememberedIds?: number;
}

export interface Receiver {
  readonly server: Server;
  /** The signing secret of a path's endpoint, as shown once when it was created. */
  setSecret(path: string, secret: string): void;
}

const largestBody = 1024 * 1024;

/** An HTTP server with an endpoint of each nature, and `GET /record`. */
export function createReceiver({ random, rememberedIds = 100_000 }: ReceiverOptions): Receiver {
  const secrets = new Map<string, Buffer>();
  const receipts = new Receipts(rememberedIds);
  const inbox = new Inbox(rememberedIds * 5, ({ path, id, body }) => {
    // The work itself would be here: it reads the event, and may take its time.
    JSON.parse(body.toString('utf8'));
    receipts.count(path, id, 'processed');
  });

  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '/';
    if (request.method === 'GET' && path === '/record') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(receipts.toJson()));
      return;
    }
    const nature = natureOf(path);
    const consent = nature === null ? null : consentTo(request);
    if (consent !== null) {
      response.writeHead(200, consent).end();
      return;
    }
    if (nature === null || request.method !== 'POST') {
      response.writeHead(nature === null ? 404 : 405).end();
      return;
    }
    const body = await readBody(request);
    if (body === null) {
      response.writeHead(413, { connection: 'close' }).end();
      return;
    }
    // 1. Verify, over the bytes as they came: parsed and serialised again they may differ.
    const id = single(request, webhookHeaders.id);
    const key = secrets.get(path);
    const verified = verifyWebhook(
      key === undefined ? [] : [key],
      {
        id,
        timestamp: single(request, webhookHeaders.timestamp),
        signature: single(request, webhookHeaders.signature),
        body,
      },
      Math.floor(Date.now() / 1_000),
    );
    if (id !== undefined) receipts.count(path, id, 'arrivals');
    if (!verified.ok || id === undefined) {
      response.writeHead(401, { 'content-type': 'text/plain' }).end(verified.ok ? 'missing-header' : verified.reason);
      return;
    }
    const challenge = challengeOf(body);
    if (challenge !== null) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ challenge }));
      return;
    }
    receipts.count(path, id, 'valid');
    // 2. Answer.
    const answer = answerOf(nature, random);
    const send = (): void => {
      if (answer.status < 300) receipts.count(path, id, 'acknowledged');
      response.writeHead(answer.status).end();
      // 3. Work, afterwards. What was not acknowledged will come again.
      if (answer.status < 300) inbox.put({ path, id, body });
    };
    if (answer.delayMs === 0) send();
    else setTimeout(send, answer.delayMs);
  };

  const server = createServer((request, response) => {
    receive(request, response).catch(() => response.destroy());
  });
  // Longer than a sender keeps an idle connection: so it is the sender that closes, and no request meets a closed one.
  server.keepAliveTimeout = 65_000;
  return { server, setSecret: (path, secret) => void secrets.set(path, parseSecret(secret)) };
}

/** @returns null when it is too large. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestBody) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function single(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
