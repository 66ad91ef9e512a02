//! A disk on which nothing more can be written, and which later can.
//!
//! The test runs itself as a child whose files may not grow, which is as good as a full disk and needs no mount.

use std::process::Command;

use bytes::Bytes;
use rustix::process::{Resource, getrlimit, setrlimit};
use store::{Error, Location, Options, Scan, Store, Table};

const TEST: &str = "a_write_that_does_not_fit_fails_whole_and_the_store_recovers";
const CHILD_DIRECTORY: &str = "HEARTH_STORE_FULL_DISK_TEST_DIRECTORY";

/// Serial, half: the halves are written together.
static HALVES: Table<(u64, bool), String> = Table::new("full.halves");

const FILE_BYTES_MAX: u64 = 600_000;
const HALF_BYTES: usize = 20_000;

#[test]
fn a_write_that_does_not_fit_fails_whole_and_the_store_recovers() {
    if let Some(directory) = std::env::var_os(CHILD_DIRECTORY) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        return runtime.block_on(fill_and_recover(directory.into()));
    }
    let directory = tempfile::tempdir().unwrap();
    // A file that outgrows its limit would end the process, were the signal not ignored; exec keeps it ignored.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([TEST, "--exact", "--nocapture"])
        .env(CHILD_DIRECTORY, directory.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn fill_and_recover(directory: std::path::PathBuf) {
    let options = Options { location: Location::Directory(directory) };
    let store = Store::open(&options).unwrap();
    limit_files(Some(FILE_BYTES_MAX));
    let stored = write_many(&store, 0).await;
    assert!((1..40).contains(&stored.len()), "some fit and some do not: {stored:?}");
    check(&store, &stored);
    let too_large = store.blobs().put(Bytes::from(vec![1; 1_000_000])).await;
    assert!(matches!(too_large, Err(Error::Blob { .. } | Error::Full(_))), "{too_large:?}");
    assert_eq!(store.blobs().list().await.unwrap(), []);

    limit_files(None);
    let later = write_many(&store, 40).await;
    assert_eq!(later.len(), 40, "all fit");
    store.blobs().put(Bytes::from(vec![1; 1_000_000])).await.unwrap();
    let all: Vec<_> = stored.into_iter().chain(later).collect();
    check(&store, &all);
    drop(store);
    check(&Store::open(&options).unwrap(), &all);
}

/// Writes forty pairs, four at a time, and gives those that were acknowledged.
async fn write_many(store: &Store, first: u64) -> Vec<u64> {
    let mut stored = Vec::new();
    for four in (first..first + 40).step_by(4) {
        let write = |serial| async move {
            let write = store.write(move |tx| {
                tx.put(&HALVES, (serial, false), &"a".repeat(HALF_BYTES))?;
                tx.put(&HALVES, (serial, true), &"b".repeat(HALF_BYTES))
            });
            write.await.map(|()| serial)
        };
        let written: [Result<u64, Error>; 4] =
            tokio::join!(write(four), write(four + 1), write(four + 2), write(four + 3)).into();
        stored.extend(written.into_iter().flatten());
    }
    stored
}

/// What was acknowledged is there, whole, and nothing else.
fn check(store: &Store, stored: &[u64]) {
    let halves = store.read(|snapshot| snapshot.keys(&HALVES, &Scan::all())).unwrap();
    let expected: Vec<_> = stored.iter().flat_map(|serial| [(*serial, false), (*serial, true)]).collect();
    assert_eq!(halves, expected);
}

fn limit_files(bytes_max: Option<u64>) {
    let mut limit = getrlimit(Resource::Fsize);
    limit.current = bytes_max.or(limit.maximum);
    setrlimit(Resource::Fsize, limit).unwrap();
}
