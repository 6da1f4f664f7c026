import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { createTestDatabase } from './index.js';

test('a test database is fresh, and gone after its drop', async () => {
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const tables = await client.query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'");
  expect(tables.rowCount).toBe(0);
  await client.end();
  await database.drop();
  await expect(new pg.Client({ connectionString: database.url }).connect()).rejects.toThrow('does not exist');
});

test('the provided schema registry answers', async () => {
  const response = await fetch(`${inject('schemaRegistryUrl')}/subjects`);
  expect(response.status).toBe(200);
});
