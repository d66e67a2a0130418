export { Failure } from '@clerk-mirror/events'
export type { DecodedEvent } from './apply/apply.js'
export type { FutureVersion } from './apply/future-versions.js'
export type { ApplyResult } from './apply/isolate.js'
export type { LedgerEntry, Outcome, Removal } from './apply/ledger.js'
export type { OutboxDepth, OutboxRow, ReactionInterests, ReactionRequest, Reactions } from './apply/outbox.js'
export type { ObjectNow, PublicUser, ReactionReads } from './apply/reaction-reads.js'
export { type ConnectFailureCode, DatabaseConnectError } from './database/connect-failure.js'
export { connectionConfig } from './database/connection.js'
export { type DatabaseOptions, parseDatabaseUrl } from './database/database-url.js'
export { type MigrateOptions, type MigrateResult, type MigrationEvent, migrate } from './migrate/migrate.js'
export { MigrationError } from './migrate/migration-error.js'
export { type Mirror, type MirrorOptions, openMirror } from './mirror.js'
export type { Counts, NewAction } from './operate/audit-log.js'
export type { MentioningObject, TiedPage } from './operate/erase-tied.js'
export type { ForeignConstraint } from './operate/foreign-constraints.js'
export { type FutureObject, isFarAhead, type VersionRelease } from './operate/future-versions.js'
export type { DatabaseInstallation } from './operate/installation.js'
export { type MigrationStatus, migrationStatus } from './operate/migration-status.js'
export type { ActivityMinute, LedgerRow, RecordedAction, StoredObject } from './operate/operator-reads.js'
export { type EraseBegun, type RebuildRequest, type RebuildRun, TYPED_TABLES } from './operate/operator-verbs.js'
export type { ProbeReads, StoredUser, UserTimes } from './operate/probe-reads.js'
export type { BackfillRequest, BackfillRun } from './operate/reaction-backfill.js'
export type { RebuildCounts, RebuildStep } from './operate/rebuild.js'
export { openProfiles, type Profiles } from './profiles/profiles.js'
export type {
  Block,
  OwnProfile,
  Profile,
  ProfileCursor,
  ProfilePage,
  ProfileSummary,
} from './profiles/profiles-read.js'
export type { ProfileEdit } from './profiles/profiles-save.js'
