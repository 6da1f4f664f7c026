import { eventFromJson, eventPatternFault, typeMatcher, type EventAttributes, type VersionData } from '#libs/core';
import type { Endpoint } from '#libs/persistence';
import type { EventVersion } from '#libs/schema-codec';
import { sentVersion } from '../endpoints/versions-merge.js';
import { examplesOf } from '../event-types/event-types.js';
import type { CatalogueType, TypeCatalogue } from '../event-types/type-catalogue.js';
import { AppError, type Fault } from '../problem/app-error.js';
import type { SendTestBody } from './test-send.dto.js';

/** An event that did not happen. */
export interface TestEvent {
  readonly attributes: EventAttributes;
  /** Which one of its type the endpoint gets. */
  readonly version: number;
  /** In that version; or why it cannot be had. */
  readonly data: VersionData;
}

export interface TestEventPorts {
  readonly catalogue: Pick<TypeCatalogue, 'all' | 'get'>;
  readonly now: () => number;
  readonly newId: () => string;
}

type Addressee = Pick<Endpoint, 'tenantId' | 'eventTypes' | 'versions' | 'latestByDefault'>;

/**
 * What is asked for, as the endpoint would get it; what is left out is made up.
 * @throws AppError `invalid-body`, `invalid-data` with a pointer to each fault; `too-large`
 */
export async function testEventFor(
  endpoint: Addressee,
  body: SendTestBody,
  maxBytes: number,
  ports: TestEventPorts,
): Promise<TestEvent> {
  const found = await typeFor(endpoint, body.type, ports.catalogue);
  const attributes = attributesOf(endpoint, found.type, body, ports);
  const numbers = found.versions.map((one) => one.version);
  const { version } = sentVersion(endpoint, { type: found.type, versions: numbers });
  const sent = found.versions.find((one) => one.version === version);
  // What happens to real events then is what the test is to show.
  const none = `${found.type} has no version ${version}: it has ${numbers.join(', ')}`;
  const data: VersionData =
    sent === undefined ? { ok: false, detail: none } : { ok: true, json: dataOf(sent, found, body.data, maxBytes) };
  return { attributes, version, data };
}

async function typeFor(
  { eventTypes }: Addressee,
  type: string | undefined,
  catalogue: TestEventPorts['catalogue'],
): Promise<CatalogueType> {
  const isWanted = typeMatcher(eventTypes.filter((pattern) => eventPatternFault(pattern) === null));
  if (type === undefined) {
    const wanted = (await catalogue.all()).filter((one) => isWanted(one.type));
    const first = wanted.find(({ meta }) => meta.status === 'active') ?? wanted[0];
    if (first !== undefined) return first;
    throw unfit({ code: 'required', detail: 'There is no event type that the endpoint wants: name one.' });
  }
  const found = await catalogue.get(type).catch((error: unknown) => {
    if (!(error instanceof AppError) || error.code !== 'not-found') throw error;
    throw unfit({ code: 'unknown-event-type', detail: 'There is no such event type.' });
  });
  if (!isWanted(type)) throw unfit({ code: 'not-subscribed', detail: 'The endpoint does not want this type.' });
  return found;
}

const unfit = (fault: Pick<Fault, 'code' | 'detail'>): AppError =>
  new AppError('invalid-body', 'One thing does not fit.', { errors: [{ pointer: '/type', ...fault }] });

function attributesOf(
  { tenantId }: Addressee,
  type: string,
  { source, subject, time }: SendTestBody,
  { now, newId }: TestEventPorts,
): EventAttributes {
  const parsed = eventFromJson(
    {
      specversion: '1.0',
      id: `test_${newId()}`,
      source,
      type,
      time: time ?? new Date(now()).toISOString(),
      subject: subject ?? null,
      tenantid: tenantId,
    },
    '',
  );
  if (!parsed.ok) throw new AppError('invalid-body', 'The event does not fit.', { errors: parsed.faults });
  const { data: _, ...attributes } = parsed.event;
  return attributes;
}

/** As it comes out of Avro: an endpoint gets defaults too that were left out. */
function dataOf({ schema, version }: EventVersion, { type, meta }: CatalogueType, given: unknown, maxBytes: number) {
  // It came as JSON.
  const json = given === undefined ? examplesOf({ schema, version }, meta)[0] : given;
  const encoded = schema.encode(json as Parameters<typeof schema.encode>[0]);
  if (!encoded.ok) {
    const errors = encoded.faults.map((fault) => ({ ...fault, pointer: `/data${fault.pointer}` }));
    throw new AppError('invalid-data', `The data does not fit version ${version} of ${type}.`, { errors });
  }
  if (encoded.bytes.length > maxBytes) {
    const detail = `${encoded.bytes.length} bytes as it is stored; at most ${maxBytes} are accepted.`;
    throw new AppError('too-large', detail, { errors: [{ pointer: '/data', code: 'too-large', detail }] });
  }
  return schema.decode(encoded.bytes);
}
