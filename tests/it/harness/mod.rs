//! What whole-process tests share: a directory each, programs started and awaited, and clients that speak to them.

mod api;
mod at_client;
mod control;
mod mailbox;
mod program;
mod services;

pub use api::Api;
pub use at_client::AtClient;
pub use control::Control;
pub use mailbox::{Mailbox, Received};
pub use program::Program;
pub use services::{certify, client, smsr_config};

use std::{fs, path::PathBuf};

/// A directory for one test, removed at its end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn create() -> Self {
        let unique = euicc_push::types::hex::encode(&euicc_push::io::clock::random_bytes::<8>());
        let path = std::env::temp_dir().join(format!("euicc-push-it-{unique}"));
        fs::create_dir(&path).expect("a directory for the test");
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
