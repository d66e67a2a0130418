import type { FailureClass } from '@clerk-mirror/events'

/* Advice for readers of /readyz, the log and alerts. docs/errors.md gives the same at greater length. */
const MIGRATE =
  'run `npm run db:migrate`; if nothing is pending, restore the table or column that was dropped or renamed'
const GRANT = 'grant the account the rights that docs/hardening.md lists for it'
const DEFAULT = 'a table of the mirror has an added column without a default: give it a default, or let it be NULL'
const OWN_TABLES = 'make the tables of the mirror as its migrations made them: ordinary, of InnoDB, writable'
const TRIGGER = 'mend or drop the trigger, view or generated column that the application added to a table of the mirror'
const SPACE = 'make room on the disk of the database, or raise the limit of the table'
const READ_ONLY = 'the server is read-only: a failover passes by itself, else point DATABASE_URL at the primary'
const CLUSTER = 'the server has no part in its cluster at present: a failover passes by itself, else look at its log'
const RESOURCES = 'the server lacks memory or other resources, or is shutting down: look at its log'
const CONNECTIONS = 'no connection is left: allow more, run fewer workers, or set connection_limit in DATABASE_URL'
const DAMAGED = 'a file or table of the server is damaged or cannot be opened: look at its log'
const BINLOG = 'the server cannot write this to its binary log: set binlog_format to ROW or MIXED and see its disk'
const SERVER = 'this server lacks something that the mirror needs: see which servers the README names'
const UNIQUE = 'a unique index of the application has another row with this value: drop the index, or mend that row'
const REFERENCE =
  'a foreign key of the application stops this row: let it cascade or set null, or remove the rows that refer'
const RULE = 'a rule of the application (trigger, view, partition) refuses this row: change the rule'

/**
 * The class of each MySQL and MariaDB error number for an event, and advice. Other numbers, lost connections and
 * time-outs are `unknown` until the canary has found out whether the database or the batch is at fault.
 */
export const SERVER_ERRORS: Readonly<Record<number, readonly [FailureClass, advice?: string]>> = {
  // Another transaction was in the way, or a change of the table passed by.
  1020: ['contention'], // the row changed since it was read (MariaDB's snapshot isolation)
  1205: ['contention', 'another transaction holds the row'], // lock wait time-out
  1213: ['contention'], // deadlock
  1412: ['contention'], // the table's definition has changed
  1615: ['contention'], // a statement has to be prepared again
  3100: ['contention'], // group replication refused the commit, which the canary's commit tells from a lost group
  3101: ['contention'], // group replication rolled back: another member changed the same row
  3572: ['contention'], // NOWAIT is set and the lock is taken
  // The schema differs from the migrations.
  1049: ['outage', MIGRATE], // unknown database
  1054: ['outage', MIGRATE], // unknown column
  1072: ['outage', MIGRATE], // a key names a column that does not exist
  1091: ['outage', MIGRATE], // a column or key does not exist
  1109: ['outage', MIGRATE], // unknown table in a statement
  1146: ['outage', MIGRATE], // no such table
  1176: ['outage', MIGRATE], // no such key: the primary key was dropped
  1364: ['outage', DEFAULT], // a column has no default
  1423: ['outage', DEFAULT], // the same, of the table under a view
  1031: ['outage', OWN_TABLES], // the table's engine cannot do this
  1036: ['outage', OWN_TABLES], // the table is read-only
  1099: ['outage', OWN_TABLES], // the table is locked for reading
  1100: ['outage', OWN_TABLES], // the table was not locked with the others
  1286: ['outage', OWN_TABLES], // unknown storage engine
  1288: ['outage', OWN_TABLES], // not updatable
  1347: ['outage', OWN_TABLES], // not a table
  1348: ['outage', OWN_TABLES], // a column is not updatable
  1471: ['outage', OWN_TABLES], // takes no inserts
  1785: ['outage', OWN_TABLES], // tables with and without transactions, under GTIDs
  1136: ['outage', TRIGGER], // number of columns and of values differ
  1305: ['outage', TRIGGER], // no such routine
  1356: ['outage', TRIGGER], // a view names an absent table or column
  1370: ['outage', TRIGGER], // the routine may not be run
  1442: ['outage', TRIGGER], // a trigger changes the table that it belongs to
  1449: ['outage', TRIGGER], // the definer does not exist
  1906: ['outage', TRIGGER], // a value for a generated column (MariaDB)
  3105: ['outage', TRIGGER], // the same (MySQL)
  // The account may not.
  1044: ['outage', GRANT], // access denied to database
  1045: ['outage', 'check user and password in DATABASE_URL'], // access denied for user
  1129: ['outage', 'the server has blocked this host: FLUSH HOSTS'],
  1130: ['outage', 'the server takes no login from this host: see the host part of the account'],
  1142: ['outage', GRANT], // command denied on table
  1143: ['outage', GRANT], // command denied on column
  1227: ['outage', GRANT], // privilege is missing
  1698: ['outage', 'check user and password in DATABASE_URL'], // access denied without password
  1820: ['outage', 'the account must be given a new password'],
  1862: ['outage', 'the password of the account has expired'],
  3118: ['outage', 'the account is locked'], // MySQL
  4151: ['outage', 'the account is locked'], // MariaDB
  // No room, or the files are out of order.
  1021: ['outage', SPACE], // disk full
  1026: ['outage', SPACE], // cannot write a file
  1030: ['outage', SPACE], // error of the storage engine, mostly of its disk
  1114: ['outage', SPACE], // table is full
  1180: ['outage', SPACE], // error during commit
  1005: ['outage', DAMAGED], // cannot create a table
  1015: ['outage', DAMAGED], // cannot lock a file
  1016: ['outage', DAMAGED], // cannot open a file
  1017: ['outage', DAMAGED], // cannot find a file
  1024: ['outage', DAMAGED], // cannot read a file
  1033: ['outage', DAMAGED], // wrong information in a file
  1034: ['outage', DAMAGED], // wrong key file
  1035: ['outage', DAMAGED], // old key file
  1194: ['outage', DAMAGED], // the table is marked as crashed
  1195: ['outage', DAMAGED], // the same, and its repair failed
  1712: ['outage', DAMAGED], // an index is corrupted
  1812: ['outage', DAMAGED], // the tablespace is missing
  1814: ['outage', DAMAGED], // the tablespace was discarded
  1877: ['outage', DAMAGED], // the table is corrupted
  1932: ['outage', DAMAGED], // the table is not in its engine (MariaDB)
  // The server or its cluster does not write at present.
  1290: ['outage', READ_ONLY],
  1792: ['outage', READ_ONLY], // read-only transaction
  1836: ['outage', READ_ONLY],
  1874: ['outage', READ_ONLY], // InnoDB is read-only
  1223: ['outage', READ_ONLY], // a global read lock is held
  1047: ['outage', CLUSTER], // Galera: this node is not ready
  1598: ['outage', BINLOG],
  1661: ['outage', BINLOG],
  1662: ['outage', BINLOG],
  1663: ['outage', BINLOG],
  1664: ['outage', BINLOG],
  1665: ['outage', BINLOG], // READ COMMITTED cannot be logged as statements
  1666: ['outage', BINLOG],
  1667: ['outage', BINLOG],
  1534: ['outage', BINLOG], // one row could not be logged
  1037: ['outage', RESOURCES], // out of memory
  1038: ['outage', RESOURCES], // out of sort memory
  1041: ['outage', RESOURCES], // out of resources
  1053: ['outage', RESOURCES], // shutdown in progress
  1135: ['outage', RESOURCES], // cannot create a thread
  1206: ['outage', RESOURCES], // more locks than the lock table holds
  1637: ['outage', RESOURCES], // too many transactions at once
  1040: ['outage', CONNECTIONS], // too many connections
  1203: ['outage', CONNECTIONS], // user has too many connections
  1226: ['outage', CONNECTIONS], // user has used up a resource
  1193: ['outage', SERVER], // unknown variable
  1231: ['outage', SERVER], // a variable does not take the value
  1235: ['outage', SERVER], // not supported by this version
  // Of the batch, or of its one event: the canary tells that the database works, and then the batch is halved.
  1153: ['unknown', 'larger than the max_allowed_packet of the database'],
  1197: ['unknown', 'larger than the max_binlog_cache_size of the database'],
  // Something that the application added to our tables stops this one row.
  1022: ['blocked', UNIQUE], // duplicate key
  1062: ['blocked', UNIQUE], // duplicate entry
  1169: ['blocked', UNIQUE], // unique constraint
  1586: ['blocked', UNIQUE], // duplicate entry, with the key's name
  1690: ['blocked', UNIQUE], // out of range: the row is another id's (see `ownRowOnly`)
  1859: ['blocked', UNIQUE], // duplicate entry that is not named
  1216: ['blocked', REFERENCE], // a row that is referred to is missing
  1217: ['blocked', REFERENCE], // a row is referred to
  1451: ['blocked', REFERENCE], // a row is referred to
  1452: ['blocked', REFERENCE], // a row that is referred to is missing
  1557: ['blocked', REFERENCE], // the change would double a key of a referring table
  1761: ['blocked', REFERENCE], // the same, with the table
  1762: ['blocked', REFERENCE], // the same, without it
  3008: ['blocked', REFERENCE], // a cascade of keys is too deep
  1369: ['blocked', RULE], // check option of a view
  1526: ['blocked', RULE], // no partition takes the value
  1644: ['blocked', RULE], // SIGNAL of a trigger
  1748: ['blocked', RULE], // not in the partitions named
  // The database refuses the value, today and tomorrow.
  1048: ['poison'], // null in a column that takes none
  1264: ['poison'], // number out of range
  1292: ['poison'], // not a date
  1366: ['poison'], // not a string of this character set
  1406: ['poison'], // text too long
  3140: ['poison'], // not JSON
  3819: ['poison'], // a check constraint refused (MySQL)
  4025: ['poison'], // the same (MariaDB)
}
