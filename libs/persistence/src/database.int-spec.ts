import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createTestDatabase, testAuthority, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';

// Real: PostgreSQL, sockets. Doubled: the network between, which can go silent.
let test: TestDatabase;
const closing: (() => void)[] = [];

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => {
  for (const close of closing) close();
  await test?.drop();
});

/** A way to the server; connections that are open when it is cut stay open, and nothing comes through them any more. */
class Network {
  readonly #passing = new Set<{ silent: boolean }>();
  #silent = false;

  private constructor(readonly url: string) {}

  static async open(): Promise<Network> {
    const target = new URL(test.url);
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => server.close());
    const url = new URL(test.url);
    url.host = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    const network = new Network(url.href);
    server.on('connection', (socket) => network.#pass(socket, net.connect(Number(target.port), target.hostname)));
    return network;
  }

  cut(): void {
    this.#silent = true;
    for (const one of this.#passing) one.silent = true;
  }

  /** For new connections. */
  mend(): void {
    this.#silent = false;
  }

  #pass(client: net.Socket, server: net.Socket): void {
    const state = { silent: this.#silent };
    this.#passing.add(state);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('data', (chunk) => void (state.silent || to.write(chunk)));
      from.on('error', () => undefined);
      from.on('close', () => void (state.silent || to.destroy()));
      closing.push(() => from.destroy());
    }
  }
}

const within = async (ms: number, work: Promise<unknown>): Promise<unknown> => {
  const late = pause(ms, 'late', { ref: false });
  return Promise.race([work.then(() => 'done', String), late]);
};
const answers = async (database: Database): Promise<unknown> => within(3_000, database.ping());

it('waits for a server that takes connections and says nothing yet, as for one that is not there', async () => {
  const network = await Network.open();
  network.cut();
  const connecting = connectDatabase(network.url, { patienceMs: 20_000 });
  await pause(500);
  network.mend();
  const database = await connecting;
  expect(await answers(database)).toBe('done');
  await database.close();
});

it('gives up what gets no answer, in and out of a transaction, and goes on over fresh connections', async () => {
  const network = await Network.open();
  const database = await connectDatabase(network.url, { poolSize: 1, statementTimeoutMs: 100 });
  const cutInside = database.transaction(async (session) => {
    network.cut();
    await session.query('SELECT 1');
  });
  expect(await within(12_000, cutInside)).toMatch(/timeout/);
  network.mend();
  expect(await answers(database)).toBe('done');
  network.cut();
  expect(await within(12_000, database.ping())).toMatch(/timeout/);
  network.mend();
  expect(await answers(database)).toBe('done');
  await database.close();
});

it('ends a transaction that says nothing, so that nobody waits for its locks', async () => {
  const [frozen, other] = await Promise.all([
    connectDatabase(test.url, { poolSize: 1, abandonedAfterMs: 300 }),
    connectDatabase(test.url, { poolSize: 1, statementTimeoutMs: 5_000 }),
  ]);
  await other.session.query('CREATE TABLE held (id integer); INSERT INTO held VALUES (1)');
  const update = 'UPDATE held SET id = id + 1';
  const abandoned = frozen.transaction(async (session) => {
    await session.query(update);
    await pause(1_000);
    await session.query(update);
  });
  const outcome = abandoned.then(() => 'done', String);
  await pause(100);
  await other.session.query(update);
  expect(await outcome).toMatch(/terminat|timeout|released/i);
  expect(await other.session.query('SELECT id FROM held')).toEqual([{ id: 2 }]);
  await Promise.all([frozen.close(), other.close()]);
});

it('speaks TLS where the URL says so, and to nobody whom the given authority has not vouched for', async () => {
  const authority = await testAuthority('Posthorn Test Root');
  const { cert, key } = await authority.issue('postgres', ['127.0.0.1', 'localhost']);
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-database-tls-'));
  const [known, another] = [join(folder, 'known.pem'), join(folder, 'another.pem')];
  writeFileSync(known, authority.ca);
  writeFileSync(another, (await testAuthority('Another Root')).ca);
  const over = (parameters: string): Promise<Database> =>
    connectDatabase(`${test.url}?${parameters}`, { poolSize: 1, patienceMs: 0 });
  const plain = await connectDatabase(test.url, { poolSize: 1 });
  const run = (sql: string): Promise<unknown> => plain.session.query(sql);
  try {
    await expect(over('sslmode=verify-full')).rejects.toThrow(/does not support SSL/);
    for (const [name, pem] of [
      ['server.crt', cert],
      ['server.key', key],
    ] as const)
      await run(`COPY (SELECT unnest(string_to_array('${pem}', E'\\n'))) TO PROGRAM 'umask 077; cat > ${name}'`);
    await run('ALTER SYSTEM SET ssl = on');
    await run('SELECT pg_reload_conf()');
    const secured = await vi.waitFor(() => over(`sslmode=verify-full&sslrootcert=${known}`), 10_000);
    const [row] = await secured.session.query<{ ssl: boolean }[]>(
      'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    );
    await secured.close();
    expect(row).toEqual({ ssl: true });
    await expect(over(`sslmode=verify-full&sslrootcert=${another}`)).rejects.toThrow(/certificate/);
    await expect(over('sslmode=verify-full')).rejects.toThrow(/certificate/);
  } finally {
    await run('ALTER SYSTEM RESET ssl');
    await run('SELECT pg_reload_conf()');
    await plain.close();
    rmSync(folder, { recursive: true });
  }
});
