//! One process of a kind below a root: whoever holds the lock may touch the files of its state.

use std::fs::OpenOptions;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Makes a folder and those above it, if need be, for our own user and group alone.
///
/// # Errors
/// It cannot be made.
pub fn make_private(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

/// To whom belongs what `root` makes in a folder: to whom the folder belongs, for the daemons shall read and write it.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    /// Makes a folder as [`make_private`] does. The new ones belong to whom the first above belongs that was there.
    ///
    /// # Errors
    /// It cannot be made, or not be handed over.
    pub fn of_private(folder: &Path) -> std::io::Result<Self> {
        let missing: Vec<&Path> = folder
            .ancestors()
            .take_while(|it| !it.as_os_str().is_empty() && !it.exists())
            .collect();
        let above = missing.last().map_or(Some(folder), |it| it.parent());
        let above = above.filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        make_private(folder)?;
        let of = std::fs::metadata(above)?;
        let owner = Self { user: of.uid(), group: of.gid() };
        missing.iter().try_for_each(|made| owner.hand_over(made))?;
        Ok(owner)
    }

    /// The file belongs to this user and group from now on. Who is not `root` makes no files but his own.
    ///
    /// # Errors
    /// The host refuses it.
    pub fn hand_over(self, file: &Path) -> std::io::Result<()> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(());
        }
        std::os::unix::fs::lchown(file, Some(self.user), Some(self.group))
    }
}

/// A lock that ends with the process, however that happens.
#[derive(Debug)]
pub struct Alone {
    _lock: Flock<std::fs::File>,
}

impl Alone {
    /// Takes the lock at `path` for a process called `name`; nothing else may be read or written before.
    ///
    /// # Errors
    /// Another process has it, or the folder cannot be written.
    pub fn take(path: &Path, name: &str) -> anyhow::Result<Self> {
        if let Some(folder) = path.parent() {
            make_private(folder).with_context(|| folder.display().to_string())?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o640)
            .open(path)
            .with_context(|| path.display().to_string())?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => anyhow::bail!(
                "{}: another `trunkline {name}` works here: stop it first, or use another --root",
                path.display()
            ),
            Err((_, error)) => Err(error).with_context(|| path.display().to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Alone;

    #[test]
    fn a_second_process_is_told_of_the_first_and_may_follow_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state").join("acd.lock");
        let first = Alone::take(&path, "acd").unwrap();
        let told = Alone::take(&path, "acd").unwrap_err().to_string();
        assert!(told.contains("another `trunkline acd`"), "{told}");
        drop(first);
        Alone::take(&path, "acd").unwrap();
    }
}
