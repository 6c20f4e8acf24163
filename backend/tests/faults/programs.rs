//! The programs and libraries needed, and what this machine allows.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Failed, fault::Need, mounts, postgres, world::DatabaseKind};

/// The user `nobody`, without rights of its own.
pub(crate) const NOBODY: u32 = 65_534;

/// What this machine offers.
pub(crate) struct Programs {
    /// The server's binary, readable by everybody.
    pub(crate) server: PathBuf,
    fiu: Option<[PathBuf; 2]>,
    faketime: Option<PathBuf>,
    mounts: bool,
    postgres: Option<postgres::Programs>,
}

impl Programs {
    /// Finds everything. `folder` must be readable by everybody.
    pub(crate) fn find(server: &Path, folder: &Path) -> Result<Self, Failed> {
        let copy = folder.join("backend-sync");
        fs::copy(server, &copy).map_err(|error| format!("{}: {error}", server.display()))?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
        let fiu = ["/usr/lib/fiu/fiu_run_preload.so", "/usr/lib/fiu/fiu_posix_preload.so"].map(PathBuf::from);
        let fiu = (fiu.iter().all(|library| library.exists()) && works("fiu-ctrl")).then_some(fiu);
        let machine = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x86_64" };
        let faketime = PathBuf::from(format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketimeMT.so.1"));
        let faketime = faketime.exists().then_some(faketime);
        let postgres = postgres::Programs::find().ok();
        Ok(Self { server: copy, fiu, faketime, mounts: mounts::possible(folder), postgres })
    }

    /// Why a fault with this need is not possible here.
    pub(crate) fn lacks(&self, need: Need) -> Option<&'static str> {
        let (there, why) = match need {
            Need::OwnDisk | Need::OwnRegister => (self.mounts, "nothing may be mounted here"),
            Need::Fiu => (self.fiu.is_some(), "libfiu is missing: Debian's package fiu-utils"),
            Need::Faketime => (self.faketime.is_some(), "libfaketime is missing: Debian's package faketime"),
            // A user other than root is already unprivileged.
            Need::Unprivileged | Need::Standby => (true, ""),
        };
        (!there).then_some(why)
    }

    /// Why no case can run on this kind of database here.
    pub(crate) fn lacks_database(&self, database: DatabaseKind) -> Option<String> {
        (database == DatabaseKind::Postgres).then(|| self.postgres().err()).flatten().map(|why| why.to_string())
    }

    /// PostgreSQL's programs.
    pub(crate) fn postgres(&self) -> Result<&postgres::Programs, Failed> {
        self.postgres.as_ref().ok_or_else(|| "PostgreSQL 15 or later is missing: Debian's package postgresql".into())
    }

    /// The libraries to preload into the server for these needs.
    pub(crate) fn preloaded(&self, needs: &[Need]) -> String {
        let fiu = self.fiu.iter().flatten().filter(|_| needs.contains(&Need::Fiu));
        let faketime = self.faketime.iter().filter(|_| needs.contains(&Need::Faketime));
        let libraries: Vec<String> = fiu.chain(faketime).map(|library| library.display().to_string()).collect();
        libraries.join(":")
    }
}

fn works(program: &str) -> bool {
    Command::new(program).arg("-h").output().is_ok()
}

/// Whether the harness is root, whom permissions do not restrict.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Arguments of `setpriv`: as an unprivileged user, if the harness has any.
pub(crate) fn unprivileged() -> Vec<String> {
    if !is_root() {
        return Vec::new();
    }
    vec![format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]
}
