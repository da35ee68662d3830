import { FarcallError } from '../core/errors.ts'
import type { Database } from './database.ts'

/**
 * Each entry leads from one version of the schema to the next; what was released is never edited.
 *
 * jobs holds what lists show, so that a list reads nothing else; details and attempts hold what is large.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    attempt INTEGER NOT NULL,
    native_id TEXT,
    name TEXT NOT NULL,
    function TEXT NOT NULL,
    profile TEXT NOT NULL,
    tags TEXT,
    items INTEGER NOT NULL,
    members INTEGER NOT NULL,
    bundle TEXT NOT NULL,
    state TEXT NOT NULL,
    status TEXT NOT NULL,
    created INTEGER NOT NULL,
    submitted INTEGER,
    ended INTEGER,
    collected INTEGER
  );
  CREATE INDEX jobs_created ON jobs (created);
  CREATE INDEX jobs_state ON jobs (state, created);
  CREATE INDEX jobs_profile ON jobs (profile, created);
  CREATE INDEX jobs_function ON jobs (function, created);
  CREATE INDEX jobs_unsubmitted ON jobs (created) WHERE submitted IS NULL;
  CREATE INDEX jobs_uncollected ON jobs (created) WHERE collected IS NULL;
  CREATE INDEX jobs_collected ON jobs (collected) WHERE collected IS NOT NULL;

  -- Of the attempt that jobs names.
  CREATE TABLE details (
    job INTEGER PRIMARY KEY,
    spec TEXT NOT NULL,
    args BLOB,
    args_file TEXT,
    args_size INTEGER,
    profile TEXT NOT NULL,
    provenance TEXT NOT NULL,
    owner TEXT NOT NULL,
    cache_keys TEXT,
    folder TEXT,
    usage TEXT,
    node_version TEXT
  );
  CREATE INDEX details_args_file ON details (args_file) WHERE args_file IS NOT NULL;

  -- spec: only of attempts that another one followed.
  CREATE TABLE attempts (
    job INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    native_id TEXT,
    recorded INTEGER NOT NULL,
    submitted INTEGER,
    spec TEXT,
    PRIMARY KEY (job, attempt)
  ) WITHOUT ROWID;
  CREATE INDEX attempts_native ON attempts (native_id) WHERE native_id IS NOT NULL;

  CREATE TABLE tags (
    tag TEXT NOT NULL,
    created INTEGER NOT NULL,
    job INTEGER NOT NULL,
    PRIMARY KEY (tag, created, job)
  ) WITHOUT ROWID;
  CREATE INDEX tags_job ON tags (job);

  -- member -1: the job as a whole.
  CREATE TABLE statuses (
    job INTEGER NOT NULL,
    member INTEGER NOT NULL,
    number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    time INTEGER NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (job, member, number)
  ) WITHOUT ROWID;

  CREATE TABLE bundles (
    sha256 TEXT PRIMARY KEY,
    code BLOB NOT NULL,
    map TEXT,
    used INTEGER NOT NULL
  );

  CREATE TABLE results (
    key TEXT PRIMARY KEY,
    job TEXT NOT NULL,
    item INTEGER NOT NULL,
    kind TEXT NOT NULL,
    size INTEGER NOT NULL,
    bytes BLOB,
    file TEXT,
    used INTEGER NOT NULL
  );
  CREATE INDEX results_used ON results (used);

  CREATE TABLE claims (
    key TEXT PRIMARY KEY,
    job TEXT NOT NULL,
    item INTEGER NOT NULL,
    owner TEXT NOT NULL,
    time INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX claims_job ON claims (job);

  CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  -- Where all jobs that lie there were put on this record; '': everywhere, for a record that is older than this table.
  CREATE TABLE places (
    place TEXT PRIMARY KEY,
    listed INTEGER NOT NULL
  ) WITHOUT ROWID;
  INSERT INTO places SELECT '', 0 FROM jobs LIMIT 1;

  -- The record that this one stands in for: where it was set aside; '' when it was gone.
  CREATE TABLE predecessor (
    aside TEXT NOT NULL
  );

  -- Items that completed; items that failed or were canceled. NULL: nobody has counted.
  ALTER TABLE jobs ADD COLUMN done INTEGER;
  ALTER TABLE jobs ADD COLUMN failed INTEGER;
  `,
  `
  -- How long items of a function took at a place: how many, sums of their seconds and of the squares of those.
  CREATE TABLE times (
    function TEXT NOT NULL,
    place TEXT NOT NULL,
    items REAL NOT NULL,
    seconds REAL NOT NULL,
    squares REAL NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (function, place)
  ) WITHOUT ROWID;
  CREATE INDEX times_used ON times (used);
  `,
  `
  -- The map whose first job is that one; NULL: it has no further ones, or this is the first.
  ALTER TABLE jobs ADD COLUMN part_of TEXT;
  CREATE INDEX jobs_part_of ON jobs (part_of) WHERE part_of IS NOT NULL;
  `,
  `
  -- What is told of a job, by event and endpoint. owner '': it was told; else whose process is about to.
  CREATE TABLE notices (
    job TEXT NOT NULL,
    notice TEXT NOT NULL,
    owner TEXT NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (job, notice)
  ) WITHOUT ROWID;
  `,
]

const versionOf = (database: Database): number => Number(database.get('PRAGMA user_version')!['user_version'])

/**
 * Brings the schema to the newest version; whether there was none before.
 * @throws FarcallError STORE_NEWER
 */
export function migrate(database: Database, file: string, steps: readonly string[] = migrations): boolean {
  if (versionOf(database) === steps.length) return false
  return database.write(() => {
    // Another process may have been quicker.
    const version = versionOf(database)
    if (version > steps.length)
      throw new FarcallError('STORE_NEWER', `${file} was written by a newer farcall (schema ${version})`, {
        hint: `this one reads up to schema ${steps.length}: update farcall, or name another folder as \`store\``,
      })
    for (const step of steps.slice(version)) database.exec(step)
    database.exec(`PRAGMA user_version = ${steps.length}`)
    return version === 0
  })
}
