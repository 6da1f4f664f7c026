import { Controller, Get, Inject, Res } from '@nestjs/common';
import { Metrics } from './metrics.js';
import { Readiness } from './readiness.js';

/** The little of a Fastify reply that is used here. */
interface Reply {
  code(status: number): Reply;
  type(contentType: string): Reply;
  send(body: unknown): Reply;
}

/** `/healthz`: the process lives. `/readyz`: it can do its work. `/metrics`: Prometheus text. None needs a key. */
@Controller()
export class HealthController {
  constructor(
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {}

  @Get('healthz')
  healthz(): { status: 'alive' } {
    return { status: 'alive' };
  }

  @Get('readyz')
  async readyz(@Res() reply: Reply): Promise<void> {
    const report = await this.readiness.report();
    reply.code(report.ready ? 200 : 503).send(report);
  }

  @Get('metrics')
  async exposition(@Res() reply: Reply): Promise<void> {
    reply.type(this.metrics.registry.contentType).send(await this.metrics.registry.metrics());
  }
}
