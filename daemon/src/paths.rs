//! Where the files are. Everything lies below one root, `/` in operation.

use std::path::{Path, PathBuf};

/// The tree of files below a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// The tree below `root`.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
    /// `absolute` below the root; a relative path is taken from the root, too.
    pub fn at(&self, absolute: impl AsRef<Path>) -> PathBuf {
        let path = absolute.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
    /// The configuration, unless another is named.
    pub fn config(&self) -> PathBuf {
        self.at("/etc/trunkline/trunkline.toml")
    }
    /// Sockets.
    pub fn run_dir(&self) -> PathBuf {
        self.at("/run/trunkline")
    }
    /// Calls.
    pub fn media_socket(&self) -> PathBuf {
        self.at("/run/trunkline/media.sock")
    }
    /// Agents.
    pub fn acd_socket(&self) -> PathBuf {
        self.at("/run/trunkline/acd.sock")
    }
    /// Faults and counts of emulated boards.
    pub fn emulate_socket(&self) -> PathBuf {
        self.at("/run/trunkline/emulate.sock")
    }
    /// What must survive.
    pub fn state_dir(&self) -> PathBuf {
        self.at("/var/lib/trunkline")
    }
    /// Held by the process of this name that works here: one of a kind.
    pub fn lock(&self, name: &str) -> PathBuf {
        self.state_dir().join(format!("{name}.lock"))
    }
    /// Recordings.
    pub fn recordings(&self) -> PathBuf {
        self.at("/var/lib/trunkline/recordings")
    }
    /// What is kept of answers.
    pub fn decisions(&self) -> PathBuf {
        self.at("/var/lib/trunkline/decisions")
    }
    /// What people heard in that.
    pub fn marks(&self) -> PathBuf {
        self.decisions().join("marks.csv")
    }
    /// The log of alarms.
    pub fn alarms(&self) -> PathBuf {
        self.at("/var/lib/trunkline/alarms")
    }
    /// Summaries nobody acknowledged that memory has no room for.
    pub fn unacknowledged(&self) -> PathBuf {
        self.at("/var/lib/trunkline/unacked")
    }
    /// How often media has started; makes each instance another.
    pub fn instance(&self) -> PathBuf {
        self.at("/var/lib/trunkline/instance")
    }
}

#[cfg(test)]
mod tests {
    use super::Paths;

    #[test]
    fn everything_lies_below_the_root() {
        let paths = Paths::below("/tmp/x");
        assert_eq!(paths.media_socket().to_str(), Some("/tmp/x/run/trunkline/media.sock"));
        assert_eq!(paths.at("/run/trunkline/b0").to_str(), Some("/tmp/x/run/trunkline/b0"));
        assert_eq!(Paths::below("/").alarms().to_str(), Some("/var/lib/trunkline/alarms"));
    }
}
