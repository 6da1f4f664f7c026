/**
 * The bench's receiver, a process of its own: answers every POST with 204 at once, unless its path says otherwise, and
 * writes down when it came. It does not verify signatures: that is the cost of a receiver, not of what is measured.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { machineMs } from '../clock.js';
import { eventIdsOf, isBatch } from './event-ids.js';
import {
  busyMs,
  busyPrefix,
  failingPrefix,
  silentPrefix,
  slowMs,
  slowPrefix,
  switchedPrefix,
  type FromReceiver,
  type ToReceiver,
} from './messages.js';
import { RequestStream } from './request-stream.js';
import { Tally } from './tally.js';

const noContent = Buffer.from('HTTP/1.1 204 No Content\r\n\r\n');
const unavailable = Buffer.from('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');

let down = true;
let tally = new Tally('', Number.POSITIVE_INFINITY);

/** Milliseconds until an answer, by the beginning of its path. */
const pauses: readonly (readonly [string, number])[] = [
  [slowPrefix, slowMs],
  [busyPrefix, busyMs],
];

function answer(socket: Socket, path: string): void {
  const pause = pauses.find(([prefix]) => path.startsWith(prefix));
  if (pause === undefined) socket.write(noContent);
  else setTimeout(() => socket.write(noContent), pause[1]);
}

/** Counts what a request brought. In a batch the events are told apart, which have its `webhook-id` in common. */
function count(path: string, webhookId: string, body: Buffer, at: number): void {
  const ids = eventIdsOf(body);
  const known = isBatch(body) ? null : webhookId;
  for (const id of ids) if (tally.take(path, known ?? id, id, at, body.length / ids.length)) tell({ type: 'complete' });
}

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  const stream = new RequestStream(({ path, webhookId, body }) => {
    if (path.startsWith(silentPrefix)) return;
    if (path.startsWith(failingPrefix) || (down && path.startsWith(switchedPrefix))) {
      socket.write(unavailable);
      return;
    }
    const at = machineMs();
    answer(socket, path);
    count(path, webhookId, body, at);
  });
  socket.on('data', (chunk: Buffer) => {
    try {
      stream.take(chunk);
    } catch (error) {
      socket.destroy();
      process.stderr.write(`receiver: ${String(error)}\n`);
    }
  });
  // A client that closes or resets its connection has every right to.
  socket.on('error', () => socket.destroy());
}

function tell(message: FromReceiver): void {
  process.send?.(message);
}

process.on('message', (message: ToReceiver) => {
  if (message.type === 'begin') {
    tally = new Tally(message.tag, message.expected);
    tell({ type: 'begun' });
  } else if (message.type === 'switch') {
    down = message.down;
    tell({ type: 'switched' });
  } else {
    tell({ type: 'report', report: tally.report() });
  }
});
// The bench is gone, or has no more need of us; it alone handles Ctrl-C.
process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => undefined);

const server = createServer(serve).listen(0, '127.0.0.1', 1_024, () => {
  tell({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
