import { randomBytes } from 'node:crypto';
import type { Provider } from '@nestjs/common';
import { v7 } from 'uuid';
import type { Config } from '#libs/config';
import { parseMasterKeys } from '#libs/core';
import { createHttpSender, type HttpSender } from '#libs/http-delivery';
import { Metrics, type Logger } from '#libs/observability';
import { EndpointRepository, EndpointVerifications, type Database } from '#libs/persistence';
import { CONFIG, DATABASE, LOGGER, senderOptionsOf } from '#libs/platform';
import { OutboxPublisher } from '../outbox/publish-outbox.js';
import { EndpointAsking } from './ask-endpoint.js';
import { VerificationCallbacks } from './callbacks.js';
import { VerificationLife, VERIFICATION_SENDER } from './verification-life.js';
import { VerifyDue } from './verify-due.js';
import { Verify } from './verify.js';

const schedule = (ms: number, run: () => void): (() => void) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};
const newId = (): string => v7().replaceAll('-', '');

/** What finds out whether endpoints want what is sent to them. */
export const verificationProviders: readonly Provider[] = [
  {
    provide: VERIFICATION_SENDER,
    inject: [CONFIG],
    // Few requests to many hosts: there is nothing to keep a connection for.
    useFactory: (config: Config): HttpSender =>
      createHttpSender({ ...senderOptionsOf(config), connectionsPerOrigin: 16, originIdleMs: 5_000 }),
  },
  {
    provide: Verify,
    inject: [DATABASE, VERIFICATION_SENDER, OutboxPublisher, Metrics, CONFIG],
    useFactory: (
      database: Database,
      sender: HttpSender,
      publication: OutboxPublisher,
      counts: Metrics,
      { masterKeys, webhookOrigin: origin, publicUrl }: Config,
    ) =>
      new Verify({
        endpoints: new EndpointRepository(database),
        verifications: new EndpointVerifications(database),
        asking: new EndpointAsking(
          { sender, masterKeys: parseMasterKeys(masterKeys), now: Date.now, newId, randomBytes },
          { origin, publicUrl },
        ),
        publication,
        counts,
        now: Date.now,
        newId,
      }),
  },
  {
    provide: VerifyDue,
    inject: [Verify, LOGGER],
    useFactory: (verify: Verify, log: Logger) =>
      new VerifyDue({ verify, schedule, log }, { everyMs: 2_000, atOnce: 16 }),
  },
  VerificationLife,
  {
    provide: VerificationCallbacks,
    inject: [DATABASE, OutboxPublisher, Metrics, CONFIG],
    useFactory: (
      database: Database,
      publication: OutboxPublisher,
      counts: Metrics,
      { masterKeys, webhookOrigin: origin }: Config,
    ) =>
      new VerificationCallbacks({
        verifications: new EndpointVerifications(database.unconfined),
        publication,
        masterKeys: parseMasterKeys(masterKeys),
        origin,
        counts,
        now: Date.now,
      }),
  },
];
