//! What was acknowledged survives a kill at any moment.
//!
//! The test runs itself as a child that writes and prints what was acknowledged, kills it, and looks.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use store::{BlobId, Domain, Error, Location, Options, Scan, Store, Table};

const TEST: &str = "what_was_acknowledged_survives_a_kill_at_any_moment";
const CHILD_DIRECTORY: &str = "HEARTH_STORE_KILL_TEST_DIRECTORY";
const CHILD_ROUND: &str = "HEARTH_STORE_KILL_TEST_ROUND";

const ROUNDS: u64 = 30;
/// Every seventh round is killed while the child is still opening the store.
const EARLY_EVERY: u64 = 7;
const TASKS: u64 = 4;
/// Each write puts so many members, or none.
const MEMBERS: u64 = 5;

/// Round, task, serial, member: the members of a group are written together.
static META: Table<(u64, u64, u64, u64), String> = Table::new("kill.members");
static LOGS: Table<(u64, u64, u64, u64), String> = Table::of(Domain::Logs, "kill.members");
/// Round, task: the next serial, written with the members.
static SERIALS: Table<(u64, u64), u64> = Table::new("kill.serials");
/// The blobs that records name.
static NAMED: Table<(u64, u64), BlobId> = Table::new("kill.blobs");

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    if let Some(directory) = std::env::var_os(CHILD_DIRECTORY) {
        write_for_ever(PathBuf::from(directory), std::env::var(CHILD_ROUND).unwrap().parse().unwrap());
    }
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        acknowledged.extend(killed_child(directory.path(), round));
        check(directory.path(), &acknowledged);
    }
    for kind in ["meta ", "logs ", "blob "] {
        assert!(acknowledged.iter().any(|line| line.starts_with(kind)), "nothing to check for {kind}");
    }
}

/// Runs a child for a random while, and gives the lines that it printed before it was killed.
fn killed_child(directory: &Path, round: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([TEST, "--exact", "--nocapture"])
        .env(CHILD_DIRECTORY, directory)
        .env(CHILD_ROUND, round.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = lines_of(&mut child);
    let (mut printed, patience) = if round.is_multiple_of(EARLY_EVERY) {
        (wait_for(&lines, "opening"), Duration::from_micros(random_below(10_000)))
    } else {
        (wait_for(&lines, "meta "), Duration::from_micros(random_below(100_000)))
    };
    let end = Instant::now() + patience;
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => printed.push(line),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => panic!("the child ended by itself: {printed:?}"),
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    printed.extend(lines);
    printed
}

/// The whole lines of a child, until its end.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while output.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            sender.send(line.trim_end().to_owned()).unwrap();
            line.clear();
        }
    });
    lines
}

fn wait_for(lines: &Receiver<String>, start: &str) -> Vec<String> {
    let mut printed = Vec::new();
    while !printed.last().is_some_and(|line: &String| line.starts_with(start)) {
        printed.push(lines.recv_timeout(Duration::from_secs(60)).expect("the child makes progress"));
    }
    printed
}

fn random_below(end: u64) -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    u64::from_le_bytes(bytes) % end
}

/// Everything acknowledged is there, and nothing is there in part.
fn check(directory: &Path, acknowledged: &BTreeSet<String>) {
    let store = Store::open(&Options { location: Location::Directory(directory.to_owned()) }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    let meta = groups(&store, &META);
    let logs = groups(&store, &LOGS);
    let blobs: BTreeSet<_> = runtime.block_on(store.blobs().list()).unwrap().into_iter().collect();
    for line in acknowledged {
        let found = match line.split_once(' ') {
            Some(("meta", group)) => meta.contains(group),
            Some(("logs", group)) => logs.contains(group),
            Some(("blob", id)) => blobs.contains(&id.parse().unwrap()),
            _ => true, // what the test harness prints
        };
        assert!(found, "acknowledged and lost: {line}");
    }

    let serials = store.read(|snapshot| snapshot.scan(&SERIALS, &Scan::all())).unwrap();
    assert_eq!(meta.len() as u64, serials.iter().map(|(_, next)| next).sum::<u64>(), "tables disagree");
    for id in &blobs {
        let content = runtime.block_on(store.blobs().read(id)).unwrap().unwrap();
        assert_eq!(BlobId::of(&content), *id, "a blob is not whole");
    }
    for (key, id) in store.read(|snapshot| snapshot.scan(&NAMED, &Scan::all())).unwrap() {
        assert!(blobs.contains(&id), "a record names a blob that is lost: {key:?}");
    }
    assert_eq!(std::fs::read_dir(directory.join("blobs/tmp")).unwrap().count(), 0);
}

/// The groups of a table, each with all its members.
fn groups(store: &Store, table: &Table<(u64, u64, u64, u64), String>) -> BTreeSet<String> {
    let mut members = BTreeMap::<_, u64>::new();
    for (round, task, serial, _) in store.read(|snapshot| snapshot.keys(table, &Scan::all())).unwrap() {
        *members.entry(format!("{round}-{task}-{serial}")).or_default() += 1;
    }
    assert!(members.values().all(|count| *count == MEMBERS), "half a write: {members:?}");
    members.into_keys().collect()
}

/// The child: writes until it is killed, and prints what was acknowledged.
fn write_for_ever(directory: PathBuf, round: u64) -> ! {
    acknowledge("\nopening");
    let store = Store::open(&Options { location: Location::Directory(directory) }).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        for task in 0..TASKS {
            tokio::spawn(write_meta(store.clone(), round, task));
        }
        tokio::spawn(write_logs(store.clone(), round));
        write_blobs(store, round).await
    })
}

async fn write_meta(store: Store, round: u64, task: u64) {
    for serial in 0.. {
        let write = store.write(move |tx| {
            for member in 0..MEMBERS {
                tx.put(&META, (round, task, serial, member), &"text ".repeat(20))?;
            }
            tx.put(&SERIALS, (round, task), &(serial + 1))
        });
        write.await.unwrap();
        acknowledge(&format!("meta {round}-{task}-{serial}"));
    }
}

async fn write_logs(store: Store, round: u64) {
    for serial in 0.. {
        let write = store.write_in(Domain::Logs, move |tx| {
            (0..MEMBERS)
                .try_for_each(|member| tx.put(&LOGS, (round, 0, serial, member), &"line ".repeat(200)))
        });
        write.await.unwrap();
        acknowledge(&format!("logs {round}-0-{serial}"));
    }
}

async fn write_blobs(store: Store, round: u64) -> ! {
    let mut serial = 0;
    loop {
        let content = format!("{round} {serial} ").repeat(1 + usize::try_from(random_below(20_000)).unwrap());
        let id = store.blobs().put(Bytes::from(content)).await.unwrap();
        acknowledge(&format!("blob {id}"));
        let named = move |tx: &mut store::Tx<'_>| tx.put(&NAMED, (round, serial), &id);
        store.write::<_, Error, _>(named).await.unwrap();
        serial += 1;
    }
}

/// Prints a line at once and whole. A child whose parent has gone ends here.
fn acknowledge(line: &str) {
    let mut output = std::io::stdout().lock();
    if output.write_all(format!("{line}\n").as_bytes()).and_then(|()| output.flush()).is_err() {
        std::process::exit(1);
    }
}
