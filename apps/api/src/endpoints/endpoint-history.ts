import type { EndpointChange, EndpointHistory, EndpointSnapshot, EndpointVersion } from '#libs/persistence';
import type { z } from 'zod';
import { checkId, dateTime, dateTimeOrNull, listed } from '../http/list-query.js';
import { notFound } from '../problem/app-error.js';
import { changesBetween, type ConfigurationChange } from './configuration-changes.js';
import { shownOf } from './credential-making.js';
import type { ShownCredentialsAnswer } from './credentials.dto.js';
import type { listHistoryQuery } from './history.dto.js';
import { shownPins } from './versions-merge.js';

/** An endpoint as it was configured at one time, as the API shows it. */
interface ConfigurationAnswer
  extends
    Omit<EndpointSnapshot, 'description' | 'secrets' | 'versions' | 'latestByDefault' | keyof ShownCredentialsAnswer>,
    ShownCredentialsAnswer {
  readonly description: string | null;
  /** Not there before endpoints had any. */
  readonly versions?: Readonly<Record<string, number | 'latest'>>;
  readonly secrets: readonly { readonly id: string; readonly expiresAt: string | null }[];
}

export interface VersionAnswer {
  readonly revision: number;
  readonly change: EndpointChange;
  readonly at: string;
  /** Null: not known. */
  readonly actor: string | null;
  /** Offsets in posthorn.endpoints under which attempts name this revision. */
  readonly configVersions: readonly number[];
  /** Compared with the version before, where that is known. */
  readonly changes: readonly ConfigurationChange[];
  /** What was decided of a halted delivery. */
  readonly resolution: EndpointVersion['resolution'];
  /** Null after the deletion. */
  readonly configuration: ConfigurationAnswer | null;
}

/** How an endpoint became what it is. */
export class EndpointVersions {
  constructor(private readonly history: EndpointHistory) {}

  async list(
    endpointId: string,
    query: z.output<typeof listHistoryQuery>,
  ): Promise<{ data: VersionAnswer[]; nextCursor: string | null }> {
    const page = await listed(() => this.history.list(checkId('endpoint', endpointId), query));
    if (page === null) throw notFound('endpoint', endpointId);
    return { data: page.data.map(answerOf), nextCursor: page.nextCursor };
  }
}

function answerOf(version: EndpointVersion): VersionAnswer {
  const configuration = configurationOf(version.config);
  return {
    revision: version.revision,
    change: version.change,
    at: dateTime(version.changedAt),
    actor: version.actor,
    configVersions: version.offsets,
    changes: version.before === null ? [] : changesBetween(configurationOf(version.before), configuration),
    resolution: version.resolution,
    configuration: version.change === 'deleted' ? null : configuration,
  };
}

const configurationOf = ({ description, secrets, ...rest }: EndpointSnapshot): ConfigurationAnswer => ({
  ...settingsOf(rest),
  ...shownOf(rest),
  description: description === '' ? null : description,
  secrets: secrets.map(({ secretId, expiresAt }) => ({ id: secretId, expiresAt: dateTimeOrNull(expiresAt) })),
});

function settingsOf({ versions, latestByDefault, ...settings }: Omit<EndpointSnapshot, 'description' | 'secrets'>) {
  const known = versions as typeof versions | undefined;
  return known === undefined ? settings : { ...settings, versions: shownPins({ versions: known, latestByDefault }) };
}
