import type { Nature } from '../receiver/nature.js';
import type { ApiClient } from './api-client.js';

/** An endpoint of the demo, as it was registered. */
export interface DemoEndpoint {
  readonly id: string;
  readonly name: Nature;
  /** At the receiver. */
  readonly path: string;
  readonly eventTypes: readonly string[];
  readonly secret: string;
}

/** Short, so that the demo ends; the default schedule goes on for three days. */
export const retryDelaysMs = [1_000, 2_000, 4_000] as const;

/** Never opens: each event is to be tried, and to become a dead letter, before the demo ends. */
const noCircuit = {
  consecutiveFailures: 1_000_000,
  failureShare: 1,
  minRequests: 1_000_000,
  windowMs: 1_000,
  openMs: 1_000,
  maxOpenMs: 1_000,
};

const wanted = [
  { name: 'steady', eventTypes: ['*'], description: 'Answers at once' },
  { name: 'flaky', eventTypes: ['*'], description: 'Answers 503 to 30 % of the requests' },
  { name: 'slow', eventTypes: ['*'], description: 'Takes 300 ms', maxInFlight: 64 },
  { name: 'tasks', eventTypes: ['task.*'], description: 'Wants only what happens to tasks, in order', ordering: 'key' },
  { name: 'failing', eventTypes: ['*'], description: 'Always answers 500', circuit: noCircuit },
] as const satisfies readonly {
  name: Nature;
  eventTypes: readonly string[];
  description: string;
  maxInFlight?: number;
  ordering?: string;
  circuit?: typeof noCircuit;
}[];

const tenantPrefix = 'demo-';

/** Deletes what earlier runs of the demo have left, so that nothing is sent to receivers that are gone. */
export async function deleteEarlier(api: ApiClient): Promise<number> {
  const tenants: string[] = [];
  for await (const { id } of api.all<{ id: string }>('/v1/tenants')) if (id.startsWith(tenantPrefix)) tenants.push(id);
  for (const tenant of tenants) {
    const endpoints: string[] = [];
    for await (const { id } of api.all<{ id: string }>(`/v1/endpoints?tenantId=${tenant}`)) endpoints.push(id);
    for (const id of endpoints) await api.delete(`/v1/endpoints/${id}`);
    await api.delete(`/v1/tenants/${tenant}`);
  }
  return tenants.length;
}

/** A fresh tenant with an endpoint of each nature. */
export async function register(
  api: ApiClient,
  receiverUrl: string,
  runId: string,
): Promise<{ readonly tenantId: string; readonly endpoints: readonly DemoEndpoint[] }> {
  const tenantId = `${tenantPrefix}${runId}`;
  await api.createTenant(tenantId, 'Demo: project management');
  const endpoints: DemoEndpoint[] = [];
  for (const { name, eventTypes, ...rest } of wanted) {
    const path = `/${name}`;
    const { id, secret } = await api.createEndpoint({
      tenantId,
      url: `${receiverUrl}${path}`,
      eventTypes: [...eventTypes],
      ...rest,
      retry: { delaysMs: [...retryDelaysMs] },
    });
    endpoints.push({ id, name, path, eventTypes, secret });
  }
  return { tenantId, endpoints };
}
