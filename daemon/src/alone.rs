//! One process of a kind below a root: whoever holds the lock may touch the files of its state.

use std::fs::OpenOptions;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
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
