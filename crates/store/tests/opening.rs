//! Which directories are opened, and that the others are left as they are.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use store::{Error, FORMAT_VERSION, Location, OpenError, Options, Store, Table};

static NUMBERS: Table<u64, String> = Table::new("test.numbers");

/// Where the engine's header keeps the application's version and name.
const VERSION_AT: u64 = 60;
const APPLICATION_AT: u64 = 68;

fn open(directory: &Path) -> Result<Store, OpenError> {
    Store::open(&Options { location: Location::Directory(directory.to_owned()) })
}

/// A closed store with some records.
fn made() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let store = open(&directory).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fill = store
        .write(|tx| (0..2000).try_for_each(|n| tx.put(&NUMBERS, &n, &"a record of some length ".repeat(4))));
    runtime.block_on(async { fill.await as Result<(), Error> }).unwrap();
    drop(store);
    (parent, directory)
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

/// Every file of a directory with its content.
fn content(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(content(&path));
            files.insert(path, Vec::new());
        } else {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

/// Opening fails, and changes nothing.
#[track_caller]
fn refused(directory: &Path) -> OpenError {
    let before = content(directory);
    let error = open(directory).unwrap_err();
    assert!(content(directory) == before, "the directory was changed: {error}");
    error
}

#[test]
fn what_is_made_is_for_its_user_alone() {
    let (_parent, directory) = made();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for name in ["meta.db", "logs.db", "events.db", "queues.db", "lock"] {
        assert_eq!(mode(&directory.join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_second_server_is_refused_until_the_first_has_gone() {
    let (_parent, directory) = made();
    let first = open(&directory).unwrap();
    let error = open(&directory).unwrap_err();
    let pid = std::process::id();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is in use by another Hearth server (pid {pid}); stop it, or give this one another data directory",
            directory.canonicalize().unwrap().display()
        )
    );
    drop(first);
    open(&directory).unwrap();
}

#[test]
fn an_unknown_version_is_refused_untouched_in_any_file() {
    for name in ["meta.db", "logs.db", "events.db", "queues.db"] {
        let (_parent, directory) = made();
        let path = directory.join(name);
        overwrite(&path, VERSION_AT, &(FORMAT_VERSION + 1).to_be_bytes());
        let error = refused(&directory);
        assert!(
            matches!(error, OpenError::UnknownVersion { found, known, .. } if (found, known) == (FORMAT_VERSION + 1, FORMAT_VERSION)),
            "{error}"
        );
    }
}

#[test]
fn a_database_of_another_application_is_refused_untouched() {
    let (_parent, directory) = made();
    overwrite(&directory.join("meta.db"), APPLICATION_AT, &0u32.to_be_bytes());
    assert!(matches!(refused(&directory), OpenError::Foreign { .. }));
}

#[test]
fn a_file_that_is_no_database_is_refused_untouched() {
    let parent = tempfile::tempdir().unwrap();
    for text in [
        "",
        "my shopping list, which is longer than the header of a database file would be: milk, bread, butter",
    ] {
        fs::write(parent.path().join("meta.db"), text).unwrap();
        assert!(matches!(refused(parent.path()), OpenError::Foreign { .. }));
    }
}

#[test]
fn damage_is_refused() {
    let damages: [fn(&Path); 4] = [
        |directory| overwrite(&directory.join("meta.db"), 3 * 8192, &[0xA5; 8192]),
        |directory| {
            let file = fs::OpenOptions::new().write(true).open(directory.join("meta.db")).unwrap();
            file.set_len(2 * 8192).unwrap();
        },
        |directory| {
            let file = fs::OpenOptions::new().write(true).open(directory.join("meta.db")).unwrap();
            file.set_len(50).unwrap();
        },
        |directory| fs::remove_file(directory.join("meta.db")).unwrap(),
    ];
    for (index, damage) in damages.into_iter().enumerate() {
        let (_parent, directory) = made();
        damage(&directory);
        let error = open(&directory).unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "damage {index}: {error}");
    }
}

#[test]
fn a_creation_that_was_cut_short_is_done_again() {
    let (_parent, directory) = made();
    fs::remove_file(directory.join("logs.db")).unwrap();
    fs::write(directory.join("logs.new"), "half").unwrap();
    fs::write(directory.join("logs.new-journal"), "half").unwrap();
    let store = open(&directory).unwrap();
    assert!(store.read(|snapshot| snapshot.contains(&NUMBERS, &1999)).unwrap());
    assert!(!directory.join("logs.new").exists());
}

#[test]
fn a_path_that_cannot_be_a_directory_is_an_error_that_names_it() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file).unwrap_err();
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn an_ephemeral_store_is_gone_when_told_whoever_still_holds_it() {
    let store = Store::open(&Options { location: Location::Ephemeral }).unwrap();
    let (holder, directory) = (store.clone(), store.directory().to_owned());
    assert!(directory.is_dir());
    store.remove_if_ephemeral();
    assert!(!directory.exists());
    drop((store, holder));
}

#[test]
fn a_durable_store_stays_when_told_to_go_if_ephemeral() {
    let (_parent, directory) = made();
    open(&directory).unwrap().remove_if_ephemeral();
    open(&directory).unwrap();
}

/// Says that the test is the child, which opens an ephemeral store, tells where it is, and waits to be killed.
const CHILD: &str = "HEARTH_STORE_EPHEMERAL_TEST_CHILD";

#[test]
fn what_a_killed_ephemeral_server_left_is_removed_by_the_next_one() {
    let ephemeral = || Store::open(&Options { location: Location::Ephemeral }).unwrap();
    if std::env::var_os(CHILD).is_some() {
        let store = ephemeral();
        println!("\nstore at {}", store.directory().display());
        loop {
            std::thread::park();
        }
    }
    let alive = ephemeral();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["what_a_killed_ephemeral_server_left_is_removed_by_the_next_one", "--exact", "--nocapture"])
        .env(CHILD, "")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let left = lines.map(Result::unwrap).find_map(|line| line.strip_prefix("store at ").map(PathBuf::from));
    let left = left.expect("the child tells where its store is");
    drop(ephemeral());
    assert!(left.exists(), "the child is alive");

    child.kill().unwrap();
    child.wait().unwrap();
    let next = ephemeral();
    assert!(!left.exists());
    assert!(alive.directory().exists() && next.directory().exists());
}
