/**
 * An example receiver. Paths: /steady, /flaky (30 % answer 503), /slow (300 ms), /tasks, /failing (500); GET /record says
 * what has arrived.
 *
 *   node dist/examples/project-management/receiver/main.js --port 9000 --secrets secrets.json
 *
 * where secrets.json maps paths to signing secrets: {"/steady": "whsec_…"}. The demo sends them over IPC instead.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { seededRandom } from '../random.js';
import { createReceiver } from './server.js';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '9000' },
    seed: { type: 'string', default: '1' },
    secrets: { type: 'string' },
  },
});

const receiver = createReceiver({ random: seededRandom(Number(options.seed)) });
const take = (secrets: Readonly<Record<string, string>>): void => {
  for (const [path, secret] of Object.entries(secrets)) receiver.setSecret(path, secret);
};
if (options.secrets !== undefined) take(JSON.parse(readFileSync(options.secrets, 'utf8')) as Record<string, string>);

process.on('message', (message: { type?: string; secrets?: Record<string, string> }) => {
  if (message.type !== 'secrets') return;
  take(message.secrets ?? {});
  process.send?.({ type: 'secrets-taken' });
});

const stop = (): void => {
  receiver.server.close(() => process.exit(0));
  receiver.server.closeAllConnections();
};
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
// The demo that started us is gone.
process.on('disconnect', stop);

receiver.server.on('error', (error) => {
  process.stderr.write(`receiver: ${error.message}\n`);
  process.exit(1);
});
receiver.server.listen(Number(options.port), '127.0.0.1', () => {
  const address = receiver.server.address();
  if (address === null || typeof address === 'string') return;
  const url = `http://127.0.0.1:${address.port}`;
  if (process.send === undefined) process.stderr.write(`receiver listens at ${url}\n`);
  else process.send({ type: 'ready', url });
});
