import { randomBytes } from 'node:crypto';
import type { Provider } from '@nestjs/common';
import { v7 } from 'uuid';
import type { Config } from '#libs/config';
import { longestPortalTokenSeconds, parseMasterKeys, portalKeysOf } from '#libs/core';
import type { Logger } from '#libs/observability';
import {
  ApiKeys,
  AuditLog,
  EndpointRepository,
  IdempotencyKeys,
  PortalTokenRegister,
  TenantRepository,
  type Database,
} from '#libs/persistence';
import { CONFIG, DATABASE, LOGGER } from '#libs/platform';
import { ForgetAnswers } from '../idempotency/forget-answers.js';
import { KeyDesk } from './api-keys.js';
import { Callers } from './callers.js';
import { PortalTokens } from './portal-tokens.js';

const newId = (): string => v7().replaceAll('-', '');
const hourMs = 3_600_000;
/** Processes may not agree on the time. */
const clockSlackSeconds = 600;

const schedule = (ms: number, run: () => void): (() => void) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};

/** Who may call what, and what repeated requests are answered. */
export const accessProviders: Provider[] = [
  {
    provide: Callers,
    inject: [DATABASE, CONFIG, LOGGER],
    useFactory: (database: Database, { operatorKey, masterKeys }: Config, log: Logger) =>
      new Callers({
        operatorKey,
        keys: new ApiKeys(database),
        tokens: new PortalTokenRegister(database),
        portalKeys: portalKeysOf(parseMasterKeys(masterKeys)),
        now: Date.now,
        log,
      }),
  },
  {
    provide: KeyDesk,
    inject: [DATABASE],
    useFactory: (database: Database) => new KeyDesk({ keys: new ApiKeys(database), now: Date.now, randomBytes }),
  },
  {
    provide: PortalTokens,
    inject: [DATABASE, CONFIG],
    useFactory: (database: Database, { masterKeys }: Config) =>
      new PortalTokens({
        tenants: new TenantRepository(database),
        endpoints: new EndpointRepository(database),
        register: new PortalTokenRegister(database),
        database,
        keys: portalKeysOf(parseMasterKeys(masterKeys)),
        now: Date.now,
        newId,
      }),
  },
  { provide: AuditLog, inject: [DATABASE], useFactory: (database: Database) => new AuditLog(database) },
  {
    provide: IdempotencyKeys,
    inject: [DATABASE, CONFIG],
    useFactory: (database: Database, { masterKeys }: Config) =>
      new IdempotencyKeys(database, { masterKeys: parseMasterKeys(masterKeys), randomBytes, newId }),
  },
  {
    provide: ForgetAnswers,
    inject: [IdempotencyKeys, DATABASE, LOGGER],
    useFactory: (answers: IdempotencyKeys, database: Database, log: Logger) => {
      const tokens = new PortalTokenRegister(database);
      const forgetOld = async (now: number): Promise<void> => {
        await answers.forgetOld(now);
        await tokens.forgetRevoked(now - (longestPortalTokenSeconds + clockSlackSeconds) * 1_000);
      };
      return new ForgetAnswers({ forgetOld, schedule, now: Date.now, log }, hourMs);
    },
  },
];
