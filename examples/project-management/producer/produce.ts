import { setTimeout as sleep } from 'node:timers/promises';
import type { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import type { Message } from 'kafkajs';
import type { Appender } from './appender.js';
import { toMessage } from './cloud-event.js';
import { dueBy } from './pace.js';
import type { Workspace, WorkspaceEvent } from './workspace.js';

/** What the log has acknowledged. */
export interface AppendedEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
}

export interface ProduceOptions {
  readonly tenantId: string;
  readonly source: string;
  readonly runId: string;
  /** 0: until stopped. */
  readonly events: number;
  /** Per second; 0: as fast as the brokers take them. */
  readonly rate: number;
  readonly workspace: Workspace;
  readonly registry: SchemaRegistry;
  readonly appender: Appender;
  readonly stop: AbortSignal;
  readonly onAppended: (events: readonly AppendedEvent[]) => void;
}

const mostAtOnce = 250;
const tickMs = 20;

/** Lets the workspace live and appends what happens there. @returns how many events were acknowledged */
export async function produce(options: ProduceOptions): Promise<number> {
  const { rate, events, stop } = options;
  const schemaIds = new Map<string, number>();
  const start = performance.now();
  let sent = 0;
  while (!stop.aborted && (events === 0 || sent < events)) {
    const due = dueBy({ rate, elapsedMs: performance.now() - start, sent, events, mostAtOnce });
    if (due > 0) {
      const happened = Array.from({ length: due }, () => options.workspace.next(Date.now()));
      await appendAll(happened, sent, schemaIds, options);
      sent += due;
    }
    if (rate > 0) await sleep(tickMs);
  }
  return sent;
}

async function appendAll(
  happened: readonly WorkspaceEvent[],
  sentBefore: number,
  schemaIds: Map<string, number>,
  options: ProduceOptions,
): Promise<void> {
  const { source, tenantId, runId } = options;
  const byKey = new Map<string, { messages: Message[]; events: AppendedEvent[] }>();
  for (const [index, event] of happened.entries()) {
    const id = `evt_${runId}_${sentBefore + index + 1}`;
    const value = await options.registry.encode(await schemaIdOf(event.type, schemaIds, options.registry), event.data);
    const message = toMessage(event, { id, source, tenantId, time: new Date().toISOString() }, value);
    const group = byKey.get(message.key) ?? { messages: [], events: [] };
    group.messages.push(message);
    group.events.push({ id, source, type: event.type });
    byKey.set(message.key, group);
  }
  for (const { messages, events } of byKey.values()) {
    await options.appender.append(messages);
    options.onAppended(events);
  }
}

/** The newest registered version of an event type: its subject is the type itself. */
async function schemaIdOf(type: string, known: Map<string, number>, registry: SchemaRegistry): Promise<number> {
  const before = known.get(type);
  if (before !== undefined) return before;
  const id = await registry.getLatestSchemaId(type).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`no schema for ${type} in the registry (${reason}); \`posthorn schemas apply\` registers them`, {
      cause,
    });
  });
  known.set(type, id);
  return id;
}
