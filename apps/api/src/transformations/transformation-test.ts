import { eventFromJson, jsonPatch, renderEvent, type JsonValue, type PatchOperation } from '#libs/core';
import type { TransformationRepository } from '#libs/persistence';
import { sandboxInput, type Sandbox, type SandboxFailureCode, type SandboxInput } from '#libs/sandbox';
import { AppError, notFound } from '../problem/app-error.js';
import type { TestTransformationBody } from './transformation.dto.js';
import { inSandbox } from './transformations.js';

interface Tried {
  /** What the handler was given. */
  readonly input: { readonly payload: JsonValue; readonly headers: Readonly<Record<string, string>> };
  readonly logs: readonly string[];
  readonly cpuMs: number;
}

export type TestAnswer = Tried &
  (
    | {
        readonly outcome: 'done';
        readonly cancelled: boolean;
        readonly payload: JsonValue;
        readonly headers: Readonly<Record<string, string>>;
        /** JSON Patch (RFC 6902) from the input's payload to this one; empty when cancelled. */
        readonly diff: readonly PatchOperation[];
      }
    | {
        readonly outcome: 'failed';
        readonly error: { readonly code: SandboxFailureCode; readonly message: string; readonly line: number | null };
      }
  );

export interface TransformationTestPorts {
  readonly repository: Pick<TransformationRepository, 'get' | 'version'>;
  readonly sandbox: Pick<Sandbox, 'run' | 'forget'>;
  readonly now: () => number;
  readonly newId: () => string;
}

const deepest = 200;

/** Runs code on an event that is given, as a dispatcher would, and sends nothing. */
export class TransformationTest {
  constructor(private readonly ports: TransformationTestPorts) {}

  async run(body: TestTransformationBody): Promise<TestAnswer> {
    const input = this.#inputOf(body);
    const code = body.code ?? (await this.#codeOf(body.transformationId ?? '', body.version));
    // Whatever was loaded for a test is of no use to others.
    const transformationId = `test:${this.ports.newId()}`;
    const { sandbox } = this.ports;
    const result = await inSandbox(() => sandbox.run({ transformationId, version: 1, code, input }));
    sandbox.forget(transformationId);
    const payload = JSON.parse(input.payload) as JsonValue;
    const { logs } = result;
    const tried = { input: { payload, headers: input.headers }, logs, cpuMs: Math.round(result.cpuMs * 1_000) / 1_000 };
    if (result.kind === 'failed') {
      const { code: failure, message, line = null } = result;
      return { outcome: 'failed', error: { code: failure, message, line }, ...tried };
    }
    const { cancelled, headers } = result;
    const made = JSON.parse(result.payload) as JsonValue;
    const diff = cancelled ? [] : jsonPatch(payload, made);
    return { outcome: 'done', cancelled, payload: made, headers, diff, ...tried };
  }

  async #codeOf(id: string, version: number | undefined): Promise<string> {
    const { repository } = this.ports;
    const found = await repository.get(id);
    if (found === null) throw notFound('transformation', id);
    if (version === undefined) return found.code;
    const older = await repository.version(id, version);
    if (older === null) throw notFound('version', String(version));
    return older.code;
  }

  #inputOf({ event, payload, eventType = '', format = 'structured' }: TestTransformationBody): SandboxInput {
    refuseDeep(event, '/event');
    refuseDeep(payload, '/payload');
    if (event === undefined) {
      const id = 'test';
      const attributes = { id, source: '/posthorn/test', type: eventType };
      const time = this.ports.now();
      return { eventType, eventId: id, time, payload: JSON.stringify(payload), headers: {}, attributes };
    }
    const parsed = eventFromJson(event as JsonValue, '/event');
    if (!parsed.ok) throw new AppError('invalid-body', 'The event does not fit.', { errors: parsed.faults });
    const { data, datacontenttype: _, ...attributes } = parsed.event;
    if (data.kind !== 'json') {
      const fault = { pointer: '/event/data_base64', code: 'invalid', detail: 'Give its data as JSON.' };
      throw new AppError('invalid-body', 'The event does not fit.', { errors: [fault] });
    }
    const now = this.ports.now();
    return sandboxInput(
      { attributes, acceptedAt: now },
      renderEvent(format, attributes, JSON.stringify(data.value), now),
    );
  }
}

/** JSON that is nested too deeply can be read, but not written again. */
function refuseDeep(value: unknown, pointer: string): void {
  if (!isDeeper(value, deepest)) return;
  const detail = `It is nested in more than ${deepest} levels.`;
  throw new AppError('invalid-body', 'One thing does not fit.', { errors: [{ pointer, code: 'too-deep', detail }] });
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}
