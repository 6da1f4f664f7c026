import { plainContent, type HaltAction } from '#libs/contracts';
import { columns } from './columns.js';
import { decodeCursor, InvalidCursor, toPage } from './cursor.js';
import type { Database } from './database.js';
import type { EndpointChange, EndpointSnapshot } from './endpoint-version.js';
import type { Page, PageRequest } from './page.js';

/** One revision of an endpoint. Times are Unix milliseconds. */
export interface EndpointVersion {
  readonly revision: number;
  readonly change: EndpointChange;
  readonly changedAt: number;
  /** Who did it; null: not known. */
  readonly actor: string | null;
  /** With `deleted`: as it was at the end. */
  readonly config: EndpointSnapshot;
  /** What was decided, with `resolved`. */
  readonly resolution: { readonly deliveryId: string; readonly action: HaltAction } | null;
  /**
   * Offsets in the endpoints topic of the records that held this revision, which attempts name as their `configVersion`.
   * Empty: not (seen to be) published yet, or a later revision was published in its stead.
   */
  readonly offsets: readonly number[];
  /** What was there before it; null: nothing, or not known. */
  readonly before: EndpointSnapshot | null;
}

/** A record of the endpoints topic; `revision` null: a tombstone. */
export interface PublishedVersion {
  readonly endpointId: string;
  readonly offset: number;
  /** Append time, Unix milliseconds. */
  readonly appendedAt: number;
  readonly revision: number | null;
}

/** What an attempt says of the configuration that it was made with. */
export interface ConfigurationUse {
  readonly configVersion: number;
  readonly startedAt: number;
}

export interface ConfigurationInForce {
  readonly revision: number;
  readonly config: EndpointSnapshot;
}

interface VersionRow {
  revision: number;
  change: EndpointChange;
  changed_at: Date;
  actor: string | null;
  config: EndpointSnapshot;
  resolution: EndpointVersion['resolution'];
  offsets: string[];
}

const selectVersions = /* sql */ `
SELECT v.revision, v.change, v.changed_at, v.actor, v.config, v.resolution, ARRAY(
  SELECT DISTINCT p.log_offset FROM endpoint_publications p
  WHERE p.endpoint_id = v.endpoint_id AND p.revision = v.revision ORDER BY p.log_offset
)::text[] AS offsets
FROM endpoint_versions v WHERE v.endpoint_id = $1 AND v.revision < $2
ORDER BY v.revision DESC LIMIT $3
`;

// An endpoint's id is never given out again, so its tombstones belong to the one deletion.
const insertPublications = /* sql */ `
INSERT INTO endpoint_publications (endpoint_id, log_offset, appended_at, revision)
SELECT endpoint_id, log_offset, to_timestamp(appended_at / 1000.0), revision FROM (
  SELECT given.endpoint_id, given.log_offset, given.appended_at, coalesce(given.revision, (
    SELECT v.revision FROM endpoint_versions v WHERE v.endpoint_id = given.endpoint_id AND v.change = 'deleted'
  )) AS revision
  FROM unnest($1::text[], $2::bigint[], $3::float8[], $4::integer[])
    AS given (endpoint_id, log_offset, appended_at, revision)
) AS published
WHERE revision IS NOT NULL
ON CONFLICT DO NOTHING
`;

// An offset of two logs: the record that came last before the attempt; if clocks disagree, the first one.
const selectInForce = /* sql */ `
SELECT used.place, v.revision, v.config
FROM unnest($2::bigint[], $3::float8[]) WITH ORDINALITY AS used (config_version, started_at, place)
CROSS JOIN LATERAL (
  SELECT p.revision FROM endpoint_publications p
  WHERE p.endpoint_id = $1 AND p.log_offset = used.config_version
  ORDER BY
    p.appended_at <= to_timestamp(used.started_at / 1000.0) DESC,
    CASE WHEN p.appended_at <= to_timestamp(used.started_at / 1000.0) THEN p.appended_at END DESC,
    p.appended_at
  LIMIT 1
) AS published
JOIN endpoint_versions v ON v.endpoint_id = $1 AND v.revision = published.revision
`;

const afterAll = 2_147_483_647;

/** Every configuration that endpoints ever had, those of deleted ones too. */
export class EndpointHistory {
  constructor(private readonly database: Database) {}

  /** Newest first. Null: there never was such an endpoint, as far as is known. @throws InvalidCursor */
  async list(endpointId: string, { limit, cursor }: PageRequest): Promise<Page<EndpointVersion> | null> {
    const below = cursor === undefined ? afterAll : revisionOf(cursor);
    const rows: VersionRow[] = await this.database.session.query(selectVersions, [endpointId, below, limit + 1]);
    if (rows.length === 0 && !(await this.#knows(endpointId))) return null;
    // The row beyond the page tells both whether there are more and what the last one has changed.
    const versions = rows.map((row, i) => versionOf(row, rows[i + 1]));
    return toPage(versions, limit, ({ changedAt, revision }) => ({ at: changedAt, id: String(revision) }));
  }

  /** Records may come again, and in any order. */
  async notePublished(records: readonly PublishedVersion[]): Promise<void> {
    if (records.length === 0) return;
    const cells = [
      (r: PublishedVersion) => r.endpointId,
      (r: PublishedVersion) => r.offset,
      (r: PublishedVersion) => r.appendedAt,
      (r: PublishedVersion) => r.revision,
    ];
    await this.database.session.query(insertPublications, columns(records, cells));
  }

  /** What each use was made with, in the given order; null: older than the history, or not seen in the topic yet. */
  async inForce(
    endpointId: string,
    uses: readonly ConfigurationUse[],
  ): Promise<readonly (ConfigurationInForce | null)[]> {
    if (uses.length === 0) return [];
    const parameters = columns(uses, [(use) => use.configVersion, (use) => use.startedAt]);
    const rows: { place: string; revision: number; config: EndpointSnapshot }[] = await this.database.session.query(
      selectInForce,
      [endpointId, ...parameters],
    );
    const found = new Map(
      rows.map(({ place, revision, config }) => [Number(place), { revision, config: whole(config) }]),
    );
    return uses.map((_, i) => found.get(i + 1) ?? null);
  }

  async #knows(endpointId: string): Promise<boolean> {
    const [row]: { known: boolean }[] = await this.database.session.query(
      `SELECT EXISTS (SELECT FROM endpoint_versions WHERE endpoint_id = $1)
        OR EXISTS (SELECT FROM endpoints WHERE id = $1) AS known`,
      [endpointId],
    );
    return row?.known === true;
  }
}

function revisionOf(cursor: string): number {
  const { id } = decodeCursor(cursor);
  if (!/^\d{1,9}$/.test(id)) throw new InvalidCursor(cursor);
  return Number(id);
}

const versionOf = (row: VersionRow, before: VersionRow | undefined): EndpointVersion => ({
  revision: row.revision,
  change: row.change,
  changedAt: row.changed_at.getTime(),
  actor: row.actor,
  config: whole(row.config),
  resolution: row.resolution,
  offsets: row.offsets.map(Number),
  before: before === undefined ? null : whole(before.config),
});

/** What was kept before endpoints had these settings. */
const older: Partial<EndpointSnapshot> = {
  ...plainContent,
  authentication: null,
  clientCertificate: null,
  caCertificates: null,
  verification: null,
};
const whole = (config: EndpointSnapshot): EndpointSnapshot => ({ ...older, ...config });
