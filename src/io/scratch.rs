//! A directory for one test, removed at its end.

use std::{fs, path::PathBuf};

pub struct Scratch(PathBuf);

impl Scratch {
    pub fn create() -> Self {
        let unique = crate::types::hex::encode(&super::clock::random_bytes::<8>());
        let path = std::env::temp_dir().join(format!("euicc-push-{unique}"));
        fs::create_dir(&path).expect("a directory for the test");
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
