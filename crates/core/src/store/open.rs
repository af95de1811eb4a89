//! Opening a history: a new one, an old one, a newer one, a damaged one, one that can only be read.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Store, StoreError, lock, schema};
use crate::folders;

/// The database's name in its folder.
const NAME: &str = "history.sqlite";
/// How long a call waits for another process that is writing.
const BUSY_LIMIT: Duration = Duration::from_secs(5);
/// Files that SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A history that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The history.
    pub store: Store,
    /// What the user should know about it.
    pub notice: Option<Notice>,
}

/// What the user should know about a history that was opened; its text says what and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It was damaged: it has been moved and a new one begun.
    SetAside {
        /// Where the damaged one is.
        to: PathBuf,
    },
    /// A newer version of Joulebar wrote it, so it can only be read.
    Newer {
        /// Its version.
        found: u32,
        /// The version that this program writes.
        known: u32,
    },
    /// Its folder or file does not allow writing.
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { to } => {
                write!(f, "the history was damaged; it is kept as {}, and a new one was begun", to.display())
            }
            Self::Newer { found, known } => write!(
                f,
                "a newer Joulebar wrote the history (version {found}, this one writes {known}); it can be read, and new runs \
                 are not kept"
            ),
            Self::ReadOnly { path } => {
                write!(f, "{} can't be written; its runs can be read, and new ones are not kept", path.display())
            }
        }
    }
}

/// Why a database was not opened.
enum Refusal {
    /// It is no database of ours, or its content is damaged.
    Damaged,
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged,
            _ => Self::Failed(error),
        }
    }
}

pub(super) fn open(folder: &Path) -> Result<(Store, Option<Notice>), StoreError> {
    let path = folder.join(NAME);
    let folder_failed = |source| StoreError::Folder { path: folder.into(), source };
    let open_failed = |source| StoreError::Open { path: path.clone(), source };
    let store = |connection, writable| Store { folder: folder.into(), path: path.clone(), connection, writable };
    // a folder that can't be written may still hold a history
    let gate = match folders::create(folder).and_then(|()| lock::gate(folder)) {
        Ok(gate) => gate,
        Err(error) if path.is_file() && is_refusal(&error) => {
            let connection = read_only(&path).map_err(open_failed)?;
            let notice = newer(&connection).map_err(open_failed)?;
            return Ok((store(connection, false), notice.or(Some(Notice::ReadOnly { path: path.clone() }))));
        }
        Err(error) => return Err(folder_failed(error)),
    };
    create_file(folder, &path).map_err(folder_failed)?;
    let (opened, aside) = match writable(&path) {
        Err(Refusal::Damaged) => {
            let to = set_aside(folder, &path).map_err(folder_failed)?;
            create_file(folder, &path).map_err(folder_failed)?;
            (writable(&path), Some(Notice::SetAside { to }))
        }
        opened => (opened, None),
    };
    drop(gate);
    match opened {
        Ok(Ok(connection)) => Ok((store(connection, true), aside)),
        Ok(Err(notice)) => Ok((store(read_only(&path).map_err(open_failed)?, false), Some(notice))),
        // a full disk has no room for the files beside it, and may still be read
        Err(Refusal::Failed(source)) => match read_only(&path).and_then(|found| probe(&found).map(|()| found)) {
            Ok(connection) => Ok((store(connection, false), Some(Notice::ReadOnly { path: path.clone() }))),
            Err(_) => Err(open_failed(source)),
        },
        Err(Refusal::Damaged) => Err(folder_failed(io::ErrorKind::InvalidData.into())),
    }
}

/// A connection for writing.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // a database that turns out to be damaged keeps its log: closing it would merge that and delete it
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(BUSY_LIMIT)?;
    // a commit is on disk when it returns: a finished prompt must survive a power cut
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(connection)
}

/// A connection that can write, its database in the present form; or why it can only be read.
fn writable(path: &Path) -> Result<Result<Connection, Notice>, Refusal> {
    let mut connection = connect(path)?;
    // the same again: it has only been looked at
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if let Some(notice) = newer(&connection)? {
        return Ok(Err(notice));
    }
    if connection.is_readonly("main")? {
        return Ok(Err(Notice::ReadOnly { path: path.into() }));
    }
    if schema::is_empty(&connection)? {
        // takes effect only before the first table is made; deleted runs give their space back
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    } else if !schema::is_ours(&connection)? {
        return Err(Refusal::Damaged);
    }
    // readers and one writer don't wait for each other
    connection.pragma_update(None, "journal_mode", "WAL")?;
    schema::migrate(&mut connection, schema::STEPS)?;
    probe(&connection)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(Ok(connection))
}

/// Reads a little of every table; a whole check would read every sample.
fn probe(connection: &Connection) -> rusqlite::Result<()> {
    for table in ["runs", "records", "prompts", "samples"] {
        connection.query_row(&format!("SELECT max(rowid) FROM {table}"), [], |_| Ok(()))?;
    }
    connection.query_row("SELECT count(*) FROM (SELECT id FROM runs ORDER BY started_at LIMIT 1)", [], |_| Ok(()))
}

fn newer(connection: &Connection) -> rusqlite::Result<Option<Notice>> {
    let (found, known) = (schema::version(connection)?, schema::known_version());
    Ok((found > known).then_some(Notice::Newer { found, known }))
}

/// A connection for reading. In a folder that can't be written SQLite can't make the files that it shares with other
/// processes; there it is told that nobody writes, which is true unless somebody else may.
fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let readable = |connection: Connection| {
        connection.busy_timeout(BUSY_LIMIT)?;
        schema::version(&connection).map(|_| connection)
    };
    Connection::open_with_flags(path, flags).and_then(readable).or_else(|error| {
        let wal = path.with_file_name(format!("{NAME}-wal"));
        if wal.metadata().is_ok_and(|wal| wal.len() > 0) {
            // what stands in it would be missing
            return Err(error);
        }
        Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI).and_then(readable)
    })
}

/// The address that tells SQLite that a file does not change.
fn immutable(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut address = "file:".to_owned();
    for byte in std::path::absolute(path).unwrap_or_else(|_| path.into()).as_os_str().as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => address.push(char::from(*byte)),
            other => address.push_str(&format!("%{other:02X}")),
        }
    }
    address + "?immutable=1"
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Makes an empty file if there is none, before SQLite does: it must have the right owner.
fn create_file(folder: &Path, path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => folders::own_alone(&file, folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Moves a database and what belongs to it to a free name, `history.damaged-1.sqlite`; nothing is deleted.
fn set_aside(folder: &Path, path: &Path) -> io::Result<PathBuf> {
    for number in 1..10_000 {
        let to = folder.join(format!("history.damaged-{number}.sqlite"));
        if to.try_exists()? {
            continue;
        }
        // a log left behind would be taken for the new database's
        for end in BESIDE {
            let beside = |path: &Path| {
                let mut name = path.as_os_str().to_owned();
                name.push(end);
                PathBuf::from(name)
            };
            match std::fs::rename(beside(path), beside(&to)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(path, &to)?;
        return Ok(to);
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
