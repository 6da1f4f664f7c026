import type { DataSource, EntityManager } from 'typeorm';
import type { Confinement } from './work-scope.js';

/** Until the transaction ends. The role may do less than ours, and row-level security holds it to the tenant's rows. */
const confineTransaction = `
SELECT set_config('role', $1, true), set_config('posthorn.tenant', $2, true), set_config('posthorn.endpoints', $3, true)
`;

/** Has the transaction see, from now on, what the confinement allows. */
export async function confine(session: EntityManager, { tenantId, endpointIds }: Confinement): Promise<void> {
  // An empty name would be none, and none of them would be all of them.
  if (tenantId === '' || endpointIds?.length === 0) throw new RangeError('a confinement to nobody');
  if (endpointIds?.some((id) => id.includes(',')) === true) throw new RangeError('an endpoint id has no comma');
  const role = endpointIds === null ? 'posthorn_tenant' : 'posthorn_endpoints';
  await session.query(confineTransaction, [role, tenantId, endpointIds?.join(',') ?? '']);
}

/**
 * A session whose statements are confined, each in a transaction of its own. Its query runner never takes a connection:
 * it passes every statement on.
 */
export function confinedSession(source: DataSource, confinement: Confinement): EntityManager {
  const query = (statement: string, parameters?: unknown[], structured?: true): Promise<unknown> =>
    source.transaction(async (session) => {
      await confine(session, confinement);
      const { queryRunner } = session;
      if (queryRunner === undefined) throw new Error('a transaction without a connection');
      return structured
        ? queryRunner.query(statement, parameters, structured)
        : queryRunner.query(statement, parameters);
    });
  const refuse = (): Promise<never> => Promise.reject(new Error('take Database.transaction for a transaction'));
  return Object.assign(source.createQueryRunner(), { query, connect: refuse, startTransaction: refuse }).manager;
}
