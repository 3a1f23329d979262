//! The directory that one run of the demo lives in.

use crate::io::{clock, file};
use std::path::{Path, PathBuf};

/// Removed with everything in it when dropped, unless it is to be kept.
pub struct Place {
    root: PathBuf,
    kept: bool,
}

impl Place {
    /// `keep`: this directory, which must not exist or be empty; otherwise a new one for temporary files.
    pub fn create(keep: Option<&Path>) -> Result<Self, String> {
        let root = match keep {
            Some(root) => std::path::absolute(root).map_err(|error| format!("{}: {error}", root.display()))?,
            // Socket addresses hold 107 octets: a deep TMPDIR would not do.
            None => {
                PathBuf::from("/tmp").join(format!("euicc-demo-{:016x}", u64::from_be_bytes(clock::random_bytes())))
            }
        };
        if std::fs::read_dir(&root).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(format!("{}: is not empty; name a new directory", root.display()));
        }
        let place = Self { root, kept: keep.is_some() };
        for folder in ["run", "config", "log", "state", "at"] {
            let folder = place.path(folder);
            file::create_directory(&folder).map_err(|error| error.to_string())?;
        }
        Ok(place)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_dir_all(&self.root)
        {
            eprintln!("{}: cannot be removed: {error}", self.root.display());
        }
    }
}
