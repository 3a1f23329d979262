use super::*;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicU32, Ordering},
};

const ONE: Schema = Schema { application_id: 1, migrations: &["CREATE TABLE note (text TEXT NOT NULL) STRICT"] };
const TWO: Schema = Schema {
    application_id: 1,
    migrations: &[ONE.migrations[0], "ALTER TABLE note ADD COLUMN size INTEGER NOT NULL DEFAULT 0"],
};

/// Counts the transactions.
#[derive(Default)]
struct Groups {
    committed: u32,
    rolled_back: u32,
}

impl Memory for Groups {
    fn committed(&mut self) {
        self.committed += 1;
    }
    fn rolled_back(&mut self) {
        self.rolled_back += 1;
    }
}

struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("store-engine-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn database(&self) -> PathBuf {
        self.0.join("test.db")
    }

    fn open(&self, schema: &Schema) -> Result<Engine<Groups>, StoreError> {
        Engine::open(&self.database(), schema, |_| Ok(Groups::default()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn insert(connection: &Connection, text: &str) -> Result<(), StoreError> {
    connection.execute("INSERT INTO note (text) VALUES (?1)", [text])?;
    Ok(())
}

fn notes(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare("SELECT text FROM note ORDER BY text")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[tokio::test]
async fn requests_that_wait_together_are_committed_together() {
    let place = Place::new();
    let engine = place.open(&ONE).unwrap();
    // The writer is held up until all others are waiting.
    let (open_gate, gate) = std::sync::mpsc::channel::<()>();
    let request = engine.clone();
    let first = tokio::spawn(async move { request.write(move |_, _| Ok(gate.recv().is_ok())).await });
    let mut others = tokio::task::JoinSet::new();
    for number in 0..100 {
        let request = engine.clone();
        others.spawn(async move { request.write(move |connection, _| insert(connection, &format!("{number}"))).await });
    }
    tokio::task::yield_now().await;
    open_gate.send(()).unwrap();
    assert!(first.await.unwrap().unwrap());
    assert!(others.join_all().await.into_iter().all(|result| result.is_ok()));
    let committed = engine.write(|_, groups| Ok(groups.committed)).await.unwrap();
    assert!(committed <= 3, "101 requests took {committed} transactions");
    assert_eq!(engine.read(notes).await.unwrap().len(), 100);
}

#[tokio::test]
async fn a_failing_request_leaves_the_others_of_its_transaction_alone() {
    let place = Place::new();
    let engine = place.open(&ONE).unwrap();
    let good = engine.write(|connection, _| insert(connection, "good"));
    let bad = engine.write(|connection, _| {
        insert(connection, "half")?;
        connection.execute("INSERT INTO note (text) VALUES (NULL)", [])?;
        Ok(())
    });
    let (good, bad) = tokio::join!(good, bad);
    good.unwrap();
    assert!(matches!(bad, Err(StoreError::Failed(_))));
    assert_eq!(engine.read(notes).await.unwrap(), ["good"]);
}

#[tokio::test]
async fn a_failed_transaction_answers_every_request_with_an_error_and_the_next_one_works() {
    let place = Place::new();
    let engine = place.open(&ONE).unwrap();
    let rolled_back = engine
        .write(|connection, _| Ok(connection.execute_batch("INSERT INTO note (text) VALUES ('lost'); ROLLBACK")?));
    assert!(matches!(rolled_back.await, Err(StoreError::Failed(_))));
    engine.write(|connection, _| insert(connection, "next")).await.unwrap();
    let groups = engine.write(|_, groups| Ok((groups.committed, groups.rolled_back))).await.unwrap();
    assert_eq!(groups, (1, 1));
    assert_eq!(engine.read(notes).await.unwrap(), ["next"]);
}

#[tokio::test]
async fn migrates_forward_and_refuses_what_is_newer_or_belongs_to_another_program() {
    let place = Place::new();
    let engine = place.open(&ONE).unwrap();
    engine.write(|connection, _| insert(connection, "kept")).await.unwrap();
    engine.close().await;
    let engine = place.open(&TWO).unwrap();
    assert_eq!(engine.read(notes).await.unwrap(), ["kept"]);
    engine.close().await;
    let problem = |schema: &Schema| place.open(schema).err().unwrap().to_string();
    assert!(problem(&ONE).contains("schema version 2"), "{}", problem(&ONE));
    let foreign = Schema { application_id: 2, migrations: TWO.migrations };
    assert!(problem(&foreign).contains("another program"));
}

#[tokio::test]
async fn one_process_at_a_time_and_nobody_else_may_read() {
    let place = Place::new();
    let engine = place.open(&ONE).unwrap();
    assert!(place.open(&ONE).err().unwrap().to_string().contains("in use"));
    let mode = fs::metadata(place.database()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    engine.close().await;
    place.open(&ONE).unwrap();
}
