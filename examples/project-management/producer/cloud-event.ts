import type { Message } from 'kafkajs';
import type { WorkspaceEvent } from './workspace.js';

/** Who sends an event, and which one it is. (source, id) is unique per event (CloudEvents 1.0.2). */
export interface Envelope {
  readonly id: string;
  readonly source: string;
  readonly tenantId: string;
  /** RFC 3339. */
  readonly time: string;
}

/**
 * A CloudEvent in binary mode (Kafka binding 1.0.2): attributes as headers, the data as value, in the Confluent wire
 * format. Events of one project share a key, so they share a partition and stay in order.
 */
export function toMessage(event: WorkspaceEvent, envelope: Envelope, value: Buffer): Message & { key: string } {
  return {
    key: event.projectId ?? envelope.tenantId,
    value,
    headers: {
      'content-type': 'application/avro',
      ce_specversion: '1.0',
      ce_id: envelope.id,
      ce_source: envelope.source,
      ce_type: event.type,
      ce_time: envelope.time,
      ce_subject: event.subject,
      ce_tenantid: envelope.tenantId,
      ...(event.projectId === null ? {} : { ce_partitionkey: event.projectId }),
    },
  };
}
