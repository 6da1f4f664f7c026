import type { TransformationConfig } from '#libs/contracts';
import type { RenderedEvent } from '#libs/core';
import {
  failureText,
  sandboxInput,
  transformedEvent,
  type SandboxJob,
  type SandboxResult,
  type TransformedEvent,
} from '#libs/sandbox';
import type { DispatchEndpoint } from '../dispatch-endpoint.js';
import type { Form } from './form.js';

/** Runs customers' code; rejects when it cannot at all, never for what the code does. */
export interface TransformationRunner {
  run(job: SandboxJob): Promise<SandboxResult>;
  /** Resolves when there is room for more. */
  room(): Promise<void>;
  forget(transformationId: string): void;
}

/** Keeps what endpoints cost within bounds. */
export interface RunBudget {
  /** Null: it may run; otherwise why it fails at once. */
  refusal(transformationId: string, version: number): string | null;
  /** @param exceeded a limit of time or memory */
  ran(transformationId: string, version: number, exceeded: boolean): void;
  charge(endpoint: DispatchEndpoint, cpuMs: number): void;
}

export interface TransformationPorts {
  readonly runner: TransformationRunner;
  readonly budget: RunBudget;
  readonly ran: (outcome: SandboxResult['kind'] | 'refused', cpuMs: number) => void;
}

/** The transformations of all tenants as they are now, and what they make of rendered events. */
export class Transformations {
  readonly #ports: TransformationPorts;
  readonly #known = new Map<string, TransformationConfig>();

  constructor(ports: TransformationPorts) {
    this.#ports = ports;
  }

  /** Its record was read; null: deleted. */
  set(transformationId: string, config: TransformationConfig | null): void {
    const before = this.#known.get(transformationId);
    if (before !== undefined && before.version !== config?.version) this.#ports.runner.forget(transformationId);
    if (config === null) this.#known.delete(transformationId);
    else this.#known.set(transformationId, config);
  }

  /** What the endpoint's transformation makes of it. Rejects when it cannot be run at all: try again. */
  async run(endpoint: DispatchEndpoint, event: TransformedEvent, rendered: RenderedEvent): Promise<Form> {
    const { transformationId } = endpoint.content;
    if (transformationId === null) return { kind: 'rendered', rendered };
    const config = this.#known.get(transformationId);
    // An id alone gives no right to what is another's.
    if (config === undefined || config.tenantId !== endpoint.tenantId)
      return failed(`there is no transformation ${transformationId}`, rendered);
    const { runner, budget, ran } = this.#ports;
    const { version, code } = config;
    const refusal = budget.refusal(transformationId, version);
    if (refusal !== null) {
      ran('refused', 0);
      return failed(refusal, rendered);
    }
    await runner.room();
    const result = await runner.run({ transformationId, version, code, input: sandboxInput(event, rendered) });
    ran(result.kind, result.cpuMs);
    const exceeded = result.kind === 'failed' && (result.code === 'timeout' || result.code === 'memory');
    budget.ran(transformationId, version, exceeded);
    budget.charge(endpoint, result.cpuMs);
    if (result.kind === 'failed') return failed(failureText(result), rendered);
    if (result.cancelled) return { kind: 'cancelled' };
    return { kind: 'rendered', rendered: transformedEvent(rendered, result) };
  }
}

const failed = (detail: string, rendered: RenderedEvent): Form => ({
  kind: 'failed',
  renderKind: 'transformation',
  detail,
  rendered,
});
