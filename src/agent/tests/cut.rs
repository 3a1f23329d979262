//! A power cut at a chosen write: the write never returns, as far as the agent can tell.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::{LazyLock, Mutex};
use tokio::sync::Notify;

/// Where the power goes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    Before(u32),
    After(u32),
}

struct Planned {
    point: Point,
    writes: u32,
    reached: Arc<Notify>,
}

static PLANNED: LazyLock<Mutex<HashMap<PathBuf, Planned>>> = LazyLock::new(Mutex::default);

/// Plans a cut for the agent with this state directory; what is returned rings when it happens.
pub fn plan(directory: &Path, point: Point) -> Arc<Notify> {
    let reached = Arc::new(Notify::new());
    let planned = Planned { point, writes: 0, reached: reached.clone() };
    PLANNED.lock().unwrap().insert(directory.to_path_buf(), planned);
    reached
}

pub fn forget(directory: &Path) {
    PLANNED.lock().unwrap().remove(directory);
}

fn is_cut(directory: &Path, count: u32, at: fn(u32) -> Point) -> bool {
    let mut planned = PLANNED.lock().unwrap();
    let Some(planned) = planned.get_mut(directory) else { return false };
    planned.writes += count;
    let cut = planned.point == at(planned.writes);
    if cut {
        planned.reached.notify_one();
    }
    cut
}

pub async fn before_write(directory: &Path) {
    if is_cut(directory, 1, Point::Before) {
        std::future::pending::<()>().await;
    }
}

pub async fn after_write(directory: &Path) {
    if is_cut(directory, 0, Point::After) {
        std::future::pending::<()>().await;
    }
}
