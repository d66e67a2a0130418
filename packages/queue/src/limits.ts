/** Every limit of the queue, with its reason. docs/settings.md lists them. */

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Each retry delay is up to this share longer or shorter, by chance, so that events which failed together are not tried
 * together. More would break the promise of the tables in job/retry-schedule.ts. */
export const RETRY_JITTER = 0.2

/** Milliseconds of a worker's lease on an event (BullMQ's lock), renewed while the event is in flight; and between checks
 * for stalled jobs. Another worker has a killed worker's events after a lease and two checks at most: 12 s, within the
 * promised 15. */
export const LEASE_MS = 6 * SECOND
export const LEASE_CHECK_MS = 3 * SECOND

/** Milliseconds between samples of this process' timer lag, for which a late sample counts, and the number of late samples
 * that make a starved process: one late timer is a process that was frozen. */
export const LAG_SAMPLE_MS = SECOND / 4
export const LAG_WINDOW_MS = MINUTE
export const LAG_SAMPLES = 3
/** Milliseconds of timer lag from which a worker halves its events in flight, and below which it doubles them again. */
export const LAG_HIGH_MS = SECOND
export const LAG_LOW_MS = SECOND / 4
/** The smallest share of its in-flight limit that a starved worker takes: less would cost more for each event. */
export const SHARE_MIN = 1 / 16
/** A starved worker's lease in multiples of its timer lag, for a renewal is some turns of its event loop; and the longest
 * lease in milliseconds, for a killed worker's events wait that long. */
export const LEASE_LAGS = 8
export const LEASE_MAX_MS = MINUTE

/** Milliseconds after which a stopping worker considers Redis gone: with its connection down, or up and silent; and between
 * checks. A busy machine or disk makes Redis late by seconds, and the process stops within 20 s in all. */
export const STOP_DOWN_MS = 4 * SECOND
export const STOP_SILENT_MS = 10 * SECOND
export const STOP_CHECK_MS = SECOND / 10

/** Milliseconds after which a stopping worker releases events that its database, a frozen one for example, has not finished:
 * longer than healthy batches take, and time is left to report them to Redis. */
export const STOP_RELEASE_MS = 10 * SECOND

/** Milliseconds that a stopping worker without an event in flight waits for its connections to end, and between checks of
 * its events in flight: a script takes less, and it drains within 20 s in all. */
export const CLOSE_IDLE_MS = 5 * SECOND
export const CLOSE_CHECK_MS = SECOND / 4

/** BullMQ's limit of stalls is off: a stall proves that a worker died, and not which event killed it. */
export const STALLS_MAX = 1_000_000_000

/** Crash count of a crash-looping event: workers that died while they ran it alone. Five deaths are no coincidence. */
export const CRASHES_MAX = 5

/** Milliseconds until a blocked event is tried again: soon after its cause is gone, and little work till then. */
export const BLOCKED_RETRY_MS = 30 * SECOND
/** Blocked events of a partition that are counted: each costs a look at its job, and more of them tell nothing more. */
export const BLOCKED_COUNTED = 1000
/** Blocked events that queue in one worker at most: the others wait another 30 s, and leave their in-flight slots to
 * events that can be applied. */
export const BLOCKED_WAITING_MAX = 32

/** Events in flight per worker: twice the batch, so that the next batch gathers while one commits. When the worker is
 * killed they are all quarantined as stalled jobs, and run alone. */
export const IN_FLIGHT_MAX = 256
/** Jobs that one script finishes and starts: some 4 ms of Redis, in which it accepts nothing. */
export const SCRIPT_JOBS_MAX = 64
/** Jobs searched at the head of `wait` for one that was put back as stalled while its worker was finishing it. */
export const STALLED_LOOK = 512
/** Milliseconds after which prefetched jobs that the worker did not request are released: it requests them in the same
 * turn of the event loop or not at all, and their leases are not renewed. */
export const PREFETCH_HOLD_MS = 500
/** Events in one transaction: measured, each doubling from 64 to 256 takes a sixth of an event's CPU time away, in the
 * worker and in the database; beyond 128 a killed worker leaves too many stalled jobs. */
export const BATCH_MAX = 128
/** Bytes of bodies in one transaction: escaping at most doubles them, and MariaDB's packet limit is 16 MiB. */
export const BATCH_BYTES_MAX = 4 * 1024 * 1024
/** Milliseconds that the first event of a batch waits for more. */
export const BATCH_WAIT_MS = 5
/** Batches that commit at the same time in one worker. */
export const BATCH_CONCURRENCY = 2

/** Runs of one reaction at once in one worker: enough for a receiver over the ocean. When it is killed they
 * are all quarantined as stalled jobs, and run one after the other. */
export const REACTION_RUNS = 32

/**
 * Runs of one reaction in Redis at most, that wait and that failed and wait for their next try: some 12 and 60 MB. The
 * others stay in the outbox, on the database's disk. More may fail than wait, for a receiver that is back after hours
 * should not have to wait until those that failed are due.
 */
export const REACTIONS_WAITING_MAX = 10_000
export const REACTIONS_RETRYING_MAX = 50_000
/**
 * Milliseconds that one process hands over for a reaction, alone: longer than a page takes, also when Redis is busy.
 */
export const REACTION_LEASE_MS = 5 * SECOND

/** Milliseconds between the breaker's probes: quick at first, since most outages are failovers. */
export const PROBE_DELAYS_MS = [250, 500, SECOND, 2 * SECOND, 3 * SECOND] as const

/** Milliseconds until a command to a Redis that does not answer counts as failed: 503 is promised within 500. */
export const PROMPT_COMMAND_MS = 400

/** Events, and characters of their data, that ingest sends to Redis in one script: some 2 ms of Redis. */
export const ENQUEUE_BATCH_MAX = 100
export const ENQUEUE_BATCH_BYTES_MAX = 1024 * 1024
/** Milliseconds that an event waits for those before it to be answered, so that more go together: about one fsync. What
 * it costs and gives shows in clerk_mirror_ingest_request_seconds. */
export const ENQUEUE_GATHER_MS = 5

/** Milliseconds that an operator's command waits for a Redis under load. */
export const OPERATOR_MS = 10 * SECOND

/** Share of Redis' maxmemory at which ingest refuses events: at 100 % workers could not take events out any more. */
export const SHED_ABOVE = 0.75
/** Milliseconds between looks at Redis' memory. */
export const MEMORY_CHECK_MS = SECOND

/** Milliseconds between attempts to reach a Redis that is gone: the first, doubled each time, and the longest. */
export const RECONNECT_FIRST_MS = 50
export const RECONNECT_MAX_MS = SECOND
/** Milliseconds for a connection to be made: ingest has requests waiting, a worker has nothing better to do. */
export const CONNECT_PROMPT_MS = SECOND
export const CONNECT_PATIENT_MS = 5 * SECOND
/** Milliseconds that a server has to finish the handshake of a connection that was made; it is longer only for one that
 * loads its data or hangs, and the name may lead to another one by now: within the promised 5 s, with the next attempt. */
export const HANDSHAKE_MS = 3 * SECOND
/** Milliseconds between looks at the role of the server, which a failover may change under an open connection. */
export const ROLE_CHECK_MS = 2 * SECOND
/** Milliseconds between attempts at most while each server that is reached refuses writes and hides its role: within the
 * promised 5 s; and without such a refusal until they count from the beginning. */
export const ROLE_BACKOFF_MAX_MS = 3 * SECOND
export const ROLE_BACKOFF_RESET_MS = 30 * SECOND
/** Milliseconds until a command is tried again whose slot is moving between two masters, or has none. */
export const SLOT_RETRY_MS = 100
/** Tries of a worker's command until then: a minute, longer than Redis takes to move a slot with a backlog. */
export const SLOT_TRIES_MAX = 600
/** Milliseconds after which a worker that could not fetch an event tries again. */
export const FETCH_RETRY_MS = SECOND
/** Milliseconds after which an error reply of Redis that did not recur is over: longer than between two tries of any
 * command that a worker repeats by itself. */
export const REDIS_ERROR_MS = 3 * (FETCH_RETRY_MS + LEASE_CHECK_MS)
/** Milliseconds that the key lives which shows that Redis takes writes. */
export const PROBE_TTL_MS = 10 * SECOND
/** Milliseconds without a byte until a worker's connection counts as half-open; longer than any blocking read. */
export const SOCKET_SILENCE_MS = 30 * SECOND
/**
 * The same for ingest's connection, whose commands are answered at once: some time-outs in a row, and a new connection.
 */
export const PROMPT_SILENCE_MS = 3 * SECOND
/** Milliseconds after which the same error of a blocking connection is another outage: longer than between two time-outs of a
 * worker's connection in a row. */
export const ERROR_REPEATS_MS = 3 * SOCKET_SILENCE_MS

/** Milliseconds between the watchdog's checks of the next event, and checks that may find the same one while this worker
 * has capacity for it: a stuck worker ends itself within the promised 30 s. Nothing healthy blocks for more than 11. */
export const STUCK_CHECK_MS = 3 * SECOND
export const STUCK_CHECKS = 10

/** Events that BullMQ's own stream keeps: it serves watchers, and nothing here relies on it. */
export const STREAM_LENGTH = 1000

/** Keys searched at once. */
export const SEARCH_PAGE = 100

/** Dead letters listed at once, without their bodies: some 5 ms of Redis. */
export const PAGE = 500
/**
 * Bytes of jobs that one script of an operator looks at, whatever its number of rows: some 4 ms of Redis. It stops
 * behind the job that exceeds them, and the next script goes on from there.
 */
export const SCRIPT_BYTES_MAX = 4 * 1024 * 1024
/** Bytes of a job that is none of ours and is parsed by a script to find its object: larger ones show none. */
export const FOREIGN_BYTES_MAX = 64 * 1024
/** Jobs of one state, and bytes of all of them, that a tool for BullMQ is given for a page, however many it asks for;
 * beyond the bytes, jobs show without their data. */
export const BROWSE_ROWS_MAX = 50
export const BROWSE_BYTES_MAX = 8 * 1024 * 1024
/** Minutes of BullMQ's own counters that such a tool is given: a day. */
export const BROWSE_METRICS_MAX = 1440
/** Dead letters asked for by their ids at once. */
export const AMONG_MAX = 500
/** Milliseconds for which a count of the dead letters by class serves: each walks through all of them. */
export const CLASSES_MS = 5 * SECOND

/** Milliseconds that a worker counts as alive after a heartbeat, and between two of them: it may miss two. */
export const HEARTBEAT_TTL_MS = 10 * SECOND
export const HEARTBEAT_MS = 3 * SECOND
/** Milliseconds that a stopping worker takes to deregister; else its heartbeat expires. */
export const DEREGISTER_MS = SECOND / 2

/** Milliseconds that the clock of a process may differ from Redis' before it is a finding: more than a busy network makes
 * of it, and little beside the five minutes that a signature is good for. */
export const CLOCK_SHIFT_MAX_MS = 2 * SECOND
/** Milliseconds that an answer of Redis may take for its time to be compared with the clock. */
export const CLOCK_ANSWER_MS = 200

/** Replicas that an event can be waited for on: nobody keeps more of one master. */
export const REPLICAS_MAX = 5
/** Milliseconds that replicas have to say that they have an event, and then that it is on their disks, which is known by
 * then: together what is left of ingest's 400 after one round trip. */
export const REPLICAS_MS = 250
export const DISKS_MS = 100

/** Milliseconds that a resent event waits to hear whether its dead letter lies where it would have gone before, of all
 * such partitions together. */
export const PREVIOUS_PARTITION_MS = 100
/** Partitions at most: a worker has a connection for each of them, and 256 events in hand for all together. */
export const PARTITIONS_MAX = 64
/** Milliseconds between looks at the register of partitions: workers serve a new one within two of them. */
export const REGISTRY_POLL_MS = SECOND
/** Milliseconds for which a worker's look at the register of reactions serves: it commits nothing by an older one. Half of
 * what a reader's word holds, so that a worker which counts as dead has nothing left to commit. */
export const REACTION_REGISTRY_TRUST_MS = 5 * SECOND
/** Milliseconds after which a worker that registered a reaction warns of those that do not know of it yet: a look, and the
 * longest batch that is under way. */
export const REACTION_ACKNOWLEDGE_MS = 15 * SECOND
/** Milliseconds until an ingest process that could not put its partitions on the register tries again. */
export const REGISTER_RETRY_MS = 250

/**
 * Milliseconds that one process has the right to export the gauges of the queue, and between its renewals: after it
 * died another takes over before the next scrape but one.
 */
export const GAUGES_LEASE_MS = 10 * SECOND
export const GAUGES_RENEW_MS = 2 * SECOND
/** Milliseconds until the lease is asked for again of a Redis that is away: nothing is sent, so it may be often. */
export const GAUGES_RETRY_MS = 250
/**
 * Milliseconds that a reading of the queue serves: whoever scrapes, and however often, Redis is asked once a second.
 */
export const READING_MS = SECOND
/** Events looked at from each end of a list for the oldest: released ones stand in front, retried ones behind. */
export const ENDS = 32
/** Dead letters counted by class at once, which holds Redis up for 2 ms, and such counts between two renewals: together
 * below a hundredth of its time, and a hundred thousand dead letters in 80 s. */
export const COUNT_PAGE = 250
export const COUNT_PAGES_MAX = 10
/** Milliseconds for which the first dead letter of a cause is news: a day. */
export const ALERT_CLAIM_MS = 24 * HOUR

/** Revoked sessions of the console that are remembered for each account one by one: 100 KB. Beyond, older ones are
 * revoked together. */
export const SESSIONS_REVOKED_MAX = 1000
/** Milliseconds for the question whether a session was revoked: each page of the console asks it first. */
export const REVOCATION_MS = 2 * SECOND
