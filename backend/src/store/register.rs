//! The register: a file beside the database of what must stay so after a restore. Who is erased or is to be, which tokens
//! are revoked, and what people decided about adoptions, by ids and hashes only; and how far the database's life had come,
//! so that an older one is noticed.
//!
//! One line of JSON per entry, appended and fsynced; the latest of each person, token, adoption and life counts. Several processes
//! append under a lock of the file. Once most lines are outdated it is written anew.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{Error, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{StoreError, connection::connect::unavailable};
use crate::model::{AdoptionState, ErasurePolicy};

/// Lines above which the register is written anew when most of them are outdated: some 100 KiB.
const LINES: usize = 1_000;

/// A line of the register. Times are in Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// How far a life of the database had come.
    Life(KeptLife),
    /// A person whose erasure began.
    Erased { site: String, user: i64, policy: ErasurePolicy, at: i64 },
    /// A person whose erasure somebody requested; it begins when it is due.
    Requested { site: String, user: i64, policy: ErasurePolicy, due: i64, at: i64 },
    /// A person whose erasure was lifted.
    Lifted { site: String, user: i64, at: i64 },
    /// What somebody decided about an account and a contact.
    Decided {
        #[serde(flatten)]
        adoption: KeptAdoption,
        state: AdoptionState,
        at: i64,
    },
    /// A token that was revoked, by its SHA-256.
    Revoked { hash: String, at: i64 },
}

/// How far a life of the database had come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct KeptLife {
    // First, because a later life is further.
    pub(super) restored_at: Option<i64>,
    pub(super) position: i64,
    pub(super) incarnation: String,
}

/// An account and a contact at a destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct KeptAdoption {
    pub(super) destination: String,
    pub(super) site: String,
    pub(super) user: i64,
    pub(super) contact: String,
}

/// What is known about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeptPerson {
    pub(super) state: PersonState,
    pub(super) at: i64,
}

/// Whether a person is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PersonState {
    /// Somebody requested it, and it is due then.
    Requested(ErasurePolicy, i64),
    /// It has begun.
    Erased(ErasurePolicy),
    /// Not any more.
    Lifted,
}

/// What the register holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) life: Option<KeptLife>,
    /// By site and Moodle id.
    pub(super) people: BTreeMap<(String, i64), KeptPerson>,
    /// When each token was revoked, by its hash.
    pub(super) revoked: BTreeMap<String, i64>,
    /// What was decided, and when.
    pub(super) adoptions: BTreeMap<KeptAdoption, (AdoptionState, i64)>,
    lines: usize,
}

impl Kept {
    /// Reads the lines that are complete: of an append that a crash cut off, nothing was promised yet.
    fn read(text: &str) -> Self {
        let mut kept = Self::default();
        for line in text.lines() {
            kept.lines += 1;
            match serde_json::from_str(line) {
                Ok(entry) => kept.take(entry),
                Err(_) => tracing::warn!(line = kept.lines, "a line of the register cannot be read"),
            }
        }
        kept
    }

    fn take(&mut self, entry: Entry) {
        let (site, user, state, at) = match entry {
            Entry::Life(life) => {
                self.life = self.life.take().max(Some(life));
                return;
            }
            Entry::Revoked { hash, at } => {
                self.revoked.insert(hash, at);
                return;
            }
            Entry::Decided { adoption, state, at } => {
                let before = self.adoptions.entry(adoption).or_insert((state, at));
                if before.1 <= at {
                    *before = (state, at);
                }
                return;
            }
            Entry::Requested { site, user, policy, due, at } => (site, user, PersonState::Requested(policy, due), at),
            Entry::Erased { site, user, policy, at } => (site, user, PersonState::Erased(policy), at),
            Entry::Lifted { site, user, at } => (site, user, PersonState::Lifted, at),
        };
        let kept = KeptPerson { state, at };
        let before = self.people.entry((site, user)).or_insert(kept);
        if before.at <= kept.at {
            *before = kept;
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let people = self.people.iter().map(|((site, user), kept)| kept.entry(site.clone(), *user));
        let revoked = self.revoked.iter().map(|(hash, at)| Entry::Revoked { hash: hash.clone(), at: *at });
        let adoptions = self.adoptions.iter().map(|(adoption, (state, at))| {
            let (adoption, state, at) = (adoption.clone(), *state, *at);
            Entry::Decided { adoption, state, at }
        });
        self.life.iter().cloned().map(Entry::Life).chain(people).chain(revoked).chain(adoptions).collect()
    }
}

impl KeptPerson {
    /// Its line.
    pub(super) fn entry(self, site: String, user: i64) -> Entry {
        let Self { state, at } = self;
        match state {
            PersonState::Requested(policy, due) => Entry::Requested { site, user, policy, due, at },
            PersonState::Erased(policy) => Entry::Erased { site, user, policy, at },
            PersonState::Lifted => Entry::Lifted { site, user, at },
        }
    }
}

/// The register at a path.
#[derive(Clone, Debug)]
pub(super) struct Register(pub(super) PathBuf);

impl Register {
    /// What it holds; nothing if there is no file.
    pub(super) fn read(&self) -> Result<Kept, StoreError> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => Ok(Kept::read(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(self.failed("read", &error)),
        }
    }

    /// Appends entries. They are on disk when this returns.
    pub(super) async fn append(&self, entries: Vec<Entry>) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let register = self.clone();
        let written = tokio::task::spawn_blocking(move || append(&register.0, &entries)).await;
        written.map_err(Error::other).flatten().map_err(|error| self.failed("write", &error))
    }

    fn failed(&self, what: &str, error: &Error) -> StoreError {
        unavailable(format!("cannot {what} the register {} (see [backup] in the settings): {error}", self.0.display()))
    }
}

fn append(path: &Path, entries: &[Entry]) -> Result<(), Error> {
    let mut file = open(path)?;
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_string(&mut text)?;
    let mut kept = Kept::read(&text);
    let mut lines = if text.is_empty() || text.ends_with('\n') { String::new() } else { "\n".to_owned() };
    for entry in entries {
        lines += &line(entry)?;
        kept.take(entry.clone());
    }
    let left = kept.entries();
    if kept.lines > LINES.max(2 * left.len()) {
        return write_anew(path, &left);
    }
    file.write_all(lines.as_bytes())?;
    file.sync_all()?;
    if text.is_empty() { sync_folder(path) } else { Ok(()) }
}

/// Opens it for this process alone. Another one may just have written it anew, and then it is opened again.
fn open(path: &Path) -> Result<File, Error> {
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        let found = std::fs::metadata(path).ok().map(|there| (there.dev(), there.ino()));
        let own = file.metadata()?;
        if found == Some((own.dev(), own.ino())) {
            return Ok(file);
        }
    }
}

fn line(entry: &Entry) -> Result<String, Error> {
    Ok(serde_json::to_string(entry)? + "\n")
}

fn write_anew(path: &Path, entries: &[Entry]) -> Result<(), Error> {
    let folder = folder_of(path);
    let mut file = NamedTempFile::new_in(folder)?;
    for entry in entries {
        file.write_all(line(entry)?.as_bytes())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(path)
}

/// The folder of a file.
pub(in crate::store) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a new name of a file durable.
pub(in crate::store) fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::{Entry, Kept, KeptAdoption, KeptLife, LINES, PersonState, Register};
    use crate::model::{AdoptionState, ErasurePolicy};

    fn life(restored_at: Option<i64>, position: i64) -> Entry {
        Entry::Life(KeptLife { restored_at, position, incarnation: "1".to_owned() })
    }

    fn erased(user: i64, at: i64) -> Entry {
        Entry::Erased { site: "moodle".to_owned(), user, policy: ErasurePolicy::Purge, at }
    }

    #[tokio::test]
    async fn the_latest_of_each_person_token_and_life_counts() {
        let folder = TempDir::new().unwrap();
        let register = Register(folder.path().join("register"));
        assert_eq!(register.read().unwrap(), Kept::default());
        let lifted = Entry::Lifted { site: "moodle".to_owned(), user: 3, at: 5 };
        register.append(vec![life(None, 7), erased(3, 4), lifted, erased(4, 6)]).await.unwrap();
        register.append(vec![erased(3, 2), life(Some(1), 5), life(None, 9)]).await.unwrap();
        register.append(vec![Entry::Revoked { hash: "ab".to_owned(), at: 8 }]).await.unwrap();
        let kept = register.read().unwrap();
        let people: Vec<_> = kept.people.iter().map(|((_, user), kept)| (*user, kept.state)).collect();
        assert_eq!(people, [(3, PersonState::Lifted), (4, PersonState::Erased(ErasurePolicy::Purge))]);
        assert_eq!(kept.life.map(|life| (life.restored_at, life.position)), Some((Some(1), 5)));
        assert_eq!(kept.revoked.into_keys().collect::<Vec<_>>(), ["ab"]);
        let mode = std::fs::metadata(&register.0).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn entries_are_read_as_they_are_written() {
        let adoption = KeptAdoption {
            destination: "zoho".to_owned(),
            site: "moodle".to_owned(),
            user: 3,
            contact: "554".to_owned(),
        };
        let decided = |state, at| Entry::Decided { adoption: adoption.clone(), state, at };
        let requested =
            Entry::Requested { site: "moodle".to_owned(), user: 4, policy: ErasurePolicy::Purge, due: 9, at: 2 };
        let written = [erased(3, 1), requested, decided(AdoptionState::Undone, 5), decided(AdoptionState::Approved, 4)];
        let text: String = written.iter().map(|entry| super::line(entry).unwrap()).collect();
        let kept = Kept::read(&text);
        assert_eq!(kept.people[&("moodle".to_owned(), 4)].state, PersonState::Requested(ErasurePolicy::Purge, 9));
        assert_eq!(kept.adoptions, [(adoption, (AdoptionState::Undone, 5))].into());
        assert_eq!(kept.entries(), written[..3]);
    }

    #[tokio::test]
    async fn a_line_that_a_crash_cut_off_harms_no_other() {
        let folder = TempDir::new().unwrap();
        let register = Register(folder.path().join("register"));
        register.append(vec![erased(3, 1)]).await.unwrap();
        let text = std::fs::read_to_string(&register.0).unwrap();
        std::fs::write(&register.0, format!("{text}{}", &text[..20])).unwrap();
        register.append(vec![erased(4, 2)]).await.unwrap();
        assert_eq!(register.read().unwrap().people.len(), 2);
    }

    #[tokio::test]
    async fn outdated_lines_go() {
        let folder = TempDir::new().unwrap();
        let register = Register(folder.path().join("register"));
        register.append(vec![erased(3, 1)]).await.unwrap();
        let many = i64::try_from(LINES).unwrap() + 1;
        register.append((0..many).map(|position| life(None, position)).collect()).await.unwrap();
        register.append(vec![life(None, many)]).await.unwrap();
        let kept = register.read().unwrap();
        assert_eq!((kept.lines, kept.people.len(), kept.life.unwrap().position), (2, 1, many));
    }
}
