//! The key sets with which triggers are signed, and where their counters begin.

use super::state::Triggers;
use crate::daemon::Fatal;
use crate::io::file::{self, Access};
use crate::io::secret_file;
use crate::session::host_trigger::KeyName;
use crate::session::scp80::{KeyOwner, StoredKeySet};
use crate::types::{Secret, SecretSource, Tar};
use std::path::Path;

const WHAT: &str = "trigger keys";

/// The agent's own key sets of the file, at least one.
pub fn load(source: &SecretSource, tar: Tar) -> Result<Vec<StoredKeySet>, Fatal> {
    let failed = |why: &dyn std::fmt::Display| Fatal::start(format!("{WHAT} {source}"), why);
    let secret = secret_file::read(source).map_err(|error| failed(&error))?;
    let text = std::str::from_utf8(secret.expose()).map_err(|_| failed(&"the file is not UTF-8 text"))?;
    let all = StoredKeySet::read_all(text).map_err(|error| failed(&error))?;
    let own: Vec<_> = all.into_iter().filter(|set| set.owner == KeyOwner::Agent && set.tar == tar).collect();
    if own.is_empty() {
        return Err(failed(&format_args!("no key set with owner = \"agent\" and tar = \"{tar}\"")));
    }
    let mut versions: Vec<_> = own.iter().map(|set| set.version).collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.len() != own.len() {
        return Err(failed(&"two key sets of the same version"));
    }
    Ok(own)
}

/// Counters of key sets that have none. Only on a terminal where nothing was ever written (`fresh`) the mark `new` is
/// believed: after a loss of the state, counters must come from the SM-SR, or old triggers would be new again.
/// Whether anything was taken.
pub fn adopt(triggers: &mut Triggers, key_sets: &[StoredKeySet], fresh: bool) -> bool {
    let mut adopted = false;
    for key_set in key_sets {
        let key = KeyName { tar: key_set.tar, version: key_set.version };
        // A key set that was added later is new beside counters of others.
        let believed = key_set.new && (fresh || !triggers.counters.is_empty());
        if triggers.counter(&key).is_none() && believed {
            triggers.store_counter(key, key_set.counter);
            adopted = true;
        }
    }
    adopted
}

/// Takes the mark `new` out of the file, now that the counters are kept here.
pub fn retire_marks(source: &SecretSource) {
    let SecretSource::File(path) = source else { return warn(&"it is a credential") };
    if let Err(error) = rewrite(source, path) {
        warn(&error);
    }
}

fn rewrite(source: &SecretSource, path: &Path) -> Result<(), String> {
    let secret = secret_file::read(source).map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(secret.expose()).map_err(|error| error.to_string())?;
    let is_mark = |line: &&str| line.split_once('=').is_some_and(|(key, _)| key.trim() == "new");
    let kept = text.split_inclusive('\n').filter(|line| !is_mark(line)).flat_map(str::bytes).collect();
    file::write_atomic(path, Secret::new(kept).expose(), Access::Owner).map_err(|error| error.to_string())
}

fn warn(why: &dyn std::fmt::Display) {
    tracing::warn!(
        "the key file still marks key sets as new ({why}); take `new = true` out of it, or a lost state directory would \
         let old triggers in again"
    );
}
