import type { Config } from '#libs/config';
import type { ChainFault } from '#libs/core';
import { AuditLog, type ChainReport } from '#libs/persistence';
import { withDatabase } from './database.js';
import { CommandFailed, type Report } from './report.js';

export interface VerifyRequest {
  /** This one's entries alone. */
  readonly tenant?: string;
}

/**
 * Walks the audit log: each tenant's entries, and the platform's own, are a chain of hashes.
 * @throws CommandFailed when something was done to one; every such chain and its first broken entry was said by then
 */
export async function verifyAudit(config: Config, { tenant }: VerifyRequest, report: Report): Promise<void> {
  await withDatabase(config, async (database) => {
    const log = new AuditLog(database);
    let broken = 0;
    for (const tenantId of tenant === undefined ? await log.chains() : [tenant]) {
      const found = await log.verify(tenantId);
      report(lineOf(found));
      if (found.fault !== null) broken += 1;
    }
    if (broken > 0) throw new CommandFailed(`the audit log was tampered with: chains that are broken: ${broken}`);
  });
}

function lineOf({ tenantId, entries, fault }: ChainReport): string {
  const whose = tenantId === '' ? 'the platform' : `tenant ${tenantId}`;
  return fault === null
    ? `${whose}: ${entries} entries, whole`
    : `${whose}: BROKEN at entry ${fault.seq}: ${wordsOf(fault)}`;
}

function wordsOf({ kind }: ChainFault): string {
  switch (kind) {
    case 'gap':
      return 'it is gone, and later ones are there';
    case 'edited':
      return 'it does not say what it said when it was added';
    case 'unlinked':
      return 'it was not added after the one before it';
    case 'cut-off':
      return 'the log does not end where its head says';
  }
}
