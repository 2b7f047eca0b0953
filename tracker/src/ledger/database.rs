//! The tables, and how they are read and written.
//!
//! | table | a row is | at most |
//! |---|---|---|
//! | `agents` | a machine, by its key | as many as the dispatcher knows |
//! | `deliveries` | an order, as JSON, and how often it was begun | as many as the dispatcher knows |
//! | `targets` | a machine of a delivery; goes with it | |
//! | `manifests` | what a delivery is of, as its author wrote it | [`MANIFESTS_MAX`], [`MANIFESTS_BYTES_MAX`]; the oldest go |
//! | `failures` | something that failed | [`FAILURES_MAX`]; the oldest go |

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pleach_core::fleet::{Change, DeliveryRecord, FAILURES_MAX, Snapshot, TargetRecord};
use pleach_core::ids::{AgentId, ManifestDigest, RequestId};
use pleach_core::wire::fleet::api::{AgentRecord, DeliveryOrder, FailureRecord, TargetState};
use rusqlite::types::Type;
use rusqlite::{Connection, ErrorCode, Row, params};

use super::{Entry, Kept, LedgerError};

/// What an application's files are told apart by: "Plch".
const APPLICATION: i64 = 0x506c_6368;
/// Of the tables below.
const VERSION: i64 = 2;
/// Most descriptions that are kept: one for each delivery that a tracker knows.
pub(super) const MANIFESTS_MAX: u64 = 1_000;
/// Most bytes of them.
pub(super) const MANIFESTS_BYTES_MAX: u64 = 64 << 20;
/// How long another process may hold the file before that is an error.
const BUSY_MAX: Duration = Duration::from_secs(2);

const TABLES: &str = "
    CREATE TABLE agents (
        agent TEXT PRIMARY KEY, name TEXT NOT NULL, in_group TEXT NOT NULL,
        first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL,
        response_us INTEGER, bytes_per_s INTEGER, done INTEGER NOT NULL, failed INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE deliveries (
        request TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, round INTEGER NOT NULL, delivery TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE targets (
        request TEXT NOT NULL REFERENCES deliveries ON DELETE CASCADE,
        agent TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, reason TEXT,
        PRIMARY KEY (request, agent)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE failures (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL,
        request TEXT NOT NULL, agent TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL
    ) STRICT;
";

/// What version 1 did not have.
const TABLES_2: &str = "
    CREATE TABLE IF NOT EXISTS manifests (
        number INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL UNIQUE, bytes BLOB NOT NULL
    ) STRICT;
";

/// The file, open to this process alone.
#[derive(Debug)]
pub(super) struct Database(Connection);

impl Database {
    /// Opens or makes the file, and reads all of it.
    pub(super) fn open(path: &Path) -> Result<(Self, Kept), LedgerError> {
        let explain = |error: rusqlite::Error| explain(path, &error);
        let connection = Connection::open(path).map_err(explain)?;
        connection.busy_timeout(BUSY_MAX).map_err(explain)?;
        prepare(&connection, path)?;
        let database = Self(connection);
        let fleet = database.read().map_err(explain)?;
        let manifests =
            database.rows("SELECT bytes FROM manifests ORDER BY number", |row| row.get(0)).map_err(explain)?;
        Ok((database, Kept { fleet, manifests }))
    }

    /// All that is kept.
    pub(super) fn read(&self) -> rusqlite::Result<Snapshot> {
        let agents = self.rows("SELECT * FROM agents", agent_of)?;
        let failures = self.rows("SELECT * FROM failures ORDER BY number", failure_of)?;
        let mut deliveries: BTreeMap<RequestId, DeliveryRecord> =
            self.rows("SELECT * FROM deliveries", delivery_of)?.into_iter().collect();
        for (request, agent, target) in self.rows("SELECT * FROM targets", target_of)? {
            if let Some(delivery) = deliveries.get_mut(&request) {
                delivery.targets.insert(agent, target);
            }
        }
        Ok(Snapshot { agents, deliveries: deliveries.into_values().collect(), failures })
    }

    fn rows<T>(&self, query: &str, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<Vec<T>> {
        let mut statement = self.0.prepare(query)?;
        statement.query_map([], read)?.collect()
    }

    /// Writes all of these or none.
    pub(super) fn apply(&mut self, changes: &[Entry]) -> rusqlite::Result<()> {
        let transaction = self.0.transaction()?;
        for change in changes {
            match change {
                Entry::Change(change) => apply(&transaction, change)?,
                Entry::Manifest { digest, bytes } => put_manifest(&transaction, digest, bytes)?,
            }
        }
        transaction.execute(
            "DELETE FROM failures WHERE number <= (SELECT max(number) FROM failures) - ?1",
            [stored(FAILURES_MAX as u64)],
        )?;
        transaction.commit()
    }

    /// Makes the disk full, for tests.
    #[cfg(test)]
    pub(super) fn fill(&self) {
        let pages: i64 = self.0.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        self.0.pragma_update(None, "max_page_count", pages).unwrap();
    }
}

/// Makes sure that the file is a ledger, of this version, whole, and nobody else's.
fn prepare(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let explain = |error: rusqlite::Error| explain(path, &error);
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(explain);
    // One tracker a file: two would each undo what the other keeps.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(explain)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(explain)?;
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let is_new = tables == 0 && application == 0;
    if !is_new && application != APPLICATION {
        return Err(LedgerError::Other { path: path.to_owned() });
    }
    if version > VERSION {
        return Err(LedgerError::Newer { path: path.to_owned(), found: version, known: VERSION });
    }
    if !is_new {
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(explain)?;
        if found != "ok" {
            return Err(LedgerError::Damaged { path: path.to_owned(), reason: found });
        }
    }
    // A killed process loses nothing; a power cut at most what was written last, and never the order.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(explain)?;
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(explain)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(explain)?;
    // Also what takes the lock, if the file is not new.
    let begin = if is_new { TABLES } else { "" };
    let script = format!(
        "BEGIN IMMEDIATE; {begin} {TABLES_2} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    );
    connection.execute_batch(&script).map_err(explain)
}

fn explain(path: &Path, error: &rusqlite::Error) -> LedgerError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerError::InUse { path },
        Some(ErrorCode::NotADatabase) => LedgerError::Other { path },
        Some(ErrorCode::DatabaseCorrupt) | None => LedgerError::Damaged { path, reason },
        Some(_) => LedgerError::Open { path, reason },
    }
}

fn apply(connection: &Connection, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Agent(record) => put_agent(connection, record),
        Change::ForgetAgent(agent) => {
            execute(connection, "DELETE FROM agents WHERE agent = ?1", params![agent.to_string()])
        }
        Change::Delivery { order, created_ms, round } => {
            let json = serde_json::to_string(order).expect("an order is plain data");
            execute(
                connection,
                "INSERT INTO deliveries VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET round = excluded.round",
                params![order.id.to_string(), stored(*created_ms), round, json],
            )
        }
        Change::Target { request, agent, target } => execute(
            connection,
            "INSERT INTO targets VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET name = excluded.name, state = excluded.state, reason = excluded.reason",
            params![
                request.to_string(),
                agent.to_string(),
                target.name.as_str(),
                state_text(target.state),
                target.reason
            ],
        ),
        Change::ForgetDelivery(request) => {
            execute(connection, "DELETE FROM deliveries WHERE request = ?1", params![request.to_string()])
        }
        Change::Failure(failure) => execute(
            connection,
            "INSERT INTO failures (at_ms, request, agent, name, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                stored(failure.at_ms),
                failure.request.to_string(),
                failure.agent.to_string(),
                failure.name.as_str(),
                failure.reason
            ],
        ),
    }
}

/// Keeps a description as the newest; beyond the bounds the oldest go.
fn put_manifest(connection: &Connection, digest: &ManifestDigest, bytes: &[u8]) -> rusqlite::Result<()> {
    let digest = digest.to_string();
    execute(connection, "INSERT OR REPLACE INTO manifests (digest, bytes) VALUES (?1, ?2)", params![digest, bytes])?;
    execute(
        connection,
        "DELETE FROM manifests WHERE number NOT IN (
             SELECT number FROM (
                 SELECT number, row_number() OVER newest AS count, sum(length(bytes)) OVER newest AS sum_bytes
                 FROM manifests WINDOW newest AS (ORDER BY number DESC)
             ) WHERE count <= ?1 AND sum_bytes <= ?2
         )",
        params![stored(MANIFESTS_MAX), stored(MANIFESTS_BYTES_MAX)],
    )
}

fn put_agent(connection: &Connection, record: &AgentRecord) -> rusqlite::Result<()> {
    execute(
        connection,
        "INSERT OR REPLACE INTO agents VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            record.agent.to_string(),
            record.name.as_str(),
            record.group.as_str(),
            stored(record.first_seen_ms),
            stored(record.last_seen_ms),
            record.response_us.map(stored),
            record.bytes_per_s.map(stored),
            record.done,
            record.failed
        ],
    )
}

fn execute(connection: &Connection, statement: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute(values).map(drop)
}

fn agent_of(row: &Row<'_>) -> rusqlite::Result<AgentRecord> {
    Ok(AgentRecord {
        agent: parsed(row, 0)?,
        name: parsed(row, 1)?,
        group: parsed(row, 2)?,
        first_seen_ms: number(row, 3)?,
        last_seen_ms: number(row, 4)?,
        response_us: row.get::<_, Option<i64>>(5)?.map(i64::unsigned_abs),
        bytes_per_s: row.get::<_, Option<i64>>(6)?.map(i64::unsigned_abs),
        done: row.get(7)?,
        failed: row.get(8)?,
    })
}

fn delivery_of(row: &Row<'_>) -> rusqlite::Result<(RequestId, DeliveryRecord)> {
    let json: String = row.get(3)?;
    let order = DeliveryOrder::decode(&json)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(3, Type::Text, Box::new(error)))?;
    let (created_ms, round) = (number(row, 1)?, row.get(2)?);
    Ok((order.id, DeliveryRecord { order, created_ms, round, targets: BTreeMap::new() }))
}

fn target_of(row: &Row<'_>) -> rusqlite::Result<(RequestId, AgentId, TargetRecord)> {
    let state: String = row.get(3)?;
    let record = TargetRecord { name: parsed(row, 2)?, state: state_of(&state), reason: row.get(4)? };
    Ok((parsed(row, 0)?, parsed(row, 1)?, record))
}

fn failure_of(row: &Row<'_>) -> rusqlite::Result<FailureRecord> {
    Ok(FailureRecord {
        at_ms: number(row, 1)?,
        request: parsed(row, 2)?,
        agent: parsed(row, 3)?,
        name: parsed(row, 4)?,
        reason: row.get(5)?,
    })
}

fn state_text(state: TargetState) -> &'static str {
    match state {
        TargetState::Waiting | TargetState::Other => "waiting",
        TargetState::Getting => "getting",
        TargetState::Done => "done",
        TargetState::Failed => "failed",
    }
}

fn state_of(text: &str) -> TargetState {
    match text {
        "getting" => TargetState::Getting,
        "done" => TargetState::Done,
        "failed" => TargetState::Failed,
        _ => TargetState::Waiting,
    }
}

/// SQLite's integers have a sign; no time or rate comes near the bound.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|number| u64::try_from(number).unwrap_or(0))
}

fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}
