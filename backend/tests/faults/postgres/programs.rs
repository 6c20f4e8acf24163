//! PostgreSQL's programs, from Debian's package.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Failed, programs::is_root};

/// The oldest version that the backend supports.
const OLDEST: u32 = 15;

/// Debian's user for PostgreSQL, which refuses to run as root.
const USER: &str = "postgres";

/// Where the programs are, and the user that runs them.
#[derive(Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// Only set for root.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// Those of the newest version; an error says what to install.
    pub(crate) fn find() -> Result<Self, Failed> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
        let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
        let newest = versions
            .map(|entry| entry.path())
            .filter(|path| path.join("bin/initdb").exists())
            .max_by_key(|path| version(path).unwrap_or(0))
            .filter(|path| version(path) >= Some(OLDEST));
        let folder = newest.ok_or("PostgreSQL 15 or later is needed: Debian's package postgresql")?.join("bin");
        let user = is_root().then(ids_of_user).transpose()?;
        Ok(Self { folder, user })
    }

    /// A program, run as the right user.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.command_within(program, &[])
    }

    /// A program with a prefix, such as `ip netns exec NAME`.
    pub(crate) fn command_within(&self, program: &str, before: &[&str]) -> Command {
        // It ends with this process, however that ends. Never start one from a thread that ends earlier.
        let mut words: Vec<String> = before.iter().map(|&word| word.to_owned()).collect();
        words.extend(["setpriv", "--pdeathsig", "QUIT"].map(str::to_owned));
        if let Some((user, group)) = self.user {
            words.extend([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(self.folder.join(program));
        command.env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    /// Makes the programs' user the owner of a file or folder.
    pub(crate) fn give(&self, path: &Path) -> Result<(), Failed> {
        let Some((user, group)) = self.user else { return Ok(()) };
        Ok(chown(path, Some(user), Some(group))?)
    }
}

/// Runs a command to its end; an error contains its output.
pub(crate) fn run(command: &mut Command) -> Result<String, Failed> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let program = command.get_args().find(|word| word.to_string_lossy().contains("/bin/"));
    let program = program.unwrap_or(command.get_program()).to_string_lossy().into_owned();
    Err(format!("{program} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

fn ids_of_user() -> Result<(u32, u32), Failed> {
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find_map(|line| line.strip_prefix(USER)?.strip_prefix(':'));
    let mut fields = line.ok_or("there is no user postgres, as Debian's package makes it")?.split(':').skip(1);
    let mut number = || fields.next().and_then(|field| field.parse().ok());
    number().zip(number()).ok_or_else(|| "a malformed /etc/passwd".into())
}
