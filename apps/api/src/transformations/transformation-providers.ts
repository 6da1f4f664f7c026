import type { BeforeApplicationShutdown, Provider } from '@nestjs/common';
import { v7 } from 'uuid';
import { TransformationRepository, type Database } from '#libs/persistence';
import { DATABASE } from '#libs/platform';
import { openSandbox, type Sandbox } from '#libs/sandbox';
import { OutboxPublisher } from '../outbox/publish-outbox.js';
import { TransformationTest } from './transformation-test.js';
import { Transformations } from './transformations.js';

/** Where an api looks at code. People wait for it: what it cannot do soon it refuses. */
export class ApiSandbox implements BeforeApplicationShutdown {
  readonly sandbox: Sandbox = openSandbox({ threads: 1, maxQueued: 100, imageBytes: 4 * 1024 * 1024 });

  beforeApplicationShutdown(): Promise<void> {
    return this.sandbox.close();
  }
}

const newId = (): string => v7().replaceAll('-', '');

/** Everything behind the routes of transformations. */
export const transformationProviders: readonly Provider[] = [
  ApiSandbox,
  {
    provide: TransformationRepository,
    inject: [DATABASE],
    useFactory: (database: Database) => new TransformationRepository(database),
  },
  {
    provide: Transformations,
    inject: [TransformationRepository, ApiSandbox, OutboxPublisher],
    useFactory: (repository: TransformationRepository, { sandbox }: ApiSandbox, publication: OutboxPublisher) =>
      new Transformations({ repository, sandbox, publication, now: Date.now, newId }),
  },
  {
    provide: TransformationTest,
    inject: [TransformationRepository, ApiSandbox],
    useFactory: (repository: TransformationRepository, { sandbox }: ApiSandbox) =>
      new TransformationTest({ repository, sandbox, now: Date.now, newId }),
  },
];
