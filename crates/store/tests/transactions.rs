//! What a caller may rely on when it writes and reads.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use domain::{FunctionName, Scope};
use serde::{Deserialize, Serialize};
use store::{Domain, Error, Location, Options, Raw, Scan, Store, Table};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    note: String,
}

static RECORDS: Table<(Scope, FunctionName), Record> = Table::new("test.records");
static NUMBERS: Table<String, i64> = Table::new("test.numbers");
static OTHERS: Table<String, i64> = Table::new("test.others");
static PAIRS: Table<(String, i64), i64> = Table::new("test.pairs");
static LINES: Table<u64, Raw> = Table::of(Domain::Logs, "test.lines");

fn ephemeral() -> Store {
    Store::open(&Options { location: Location::Ephemeral }).unwrap()
}

fn number(store: &Store, key: &str) -> Option<i64> {
    store.read(|snapshot| snapshot.get(&NUMBERS, key)).unwrap()
}

async fn put_number(store: &Store, key: &'static str, value: i64) -> Result<(), Error> {
    store.write(move |tx| tx.put(&NUMBERS, key, &value)).await
}

#[tokio::test]
async fn a_write_is_there_after_the_store_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { location: Location::Directory(directory.path().join("made/with/parents")) };
    let key = (Scope::default(), FunctionName::parse("f").unwrap());
    let record = Record { note: "kept".into() };

    let store = Store::open(&options).unwrap();
    let (written, at) = (record.clone(), key.clone());
    store.write(move |tx| tx.put(&RECORDS, &at, &written)).await.unwrap();
    store.write_in(Domain::Logs, |tx| tx.put(&LINES, &7, &Raw(Bytes::from("\0bytes")))).await.unwrap();
    let secret = *store.server_secret();
    drop(store);

    let store = Store::open(&options).unwrap();
    assert_eq!(store.read(|snapshot| snapshot.get(&RECORDS, &key)).unwrap(), Some(record));
    assert_eq!(store.read(|snapshot| snapshot.get(&LINES, &7)).unwrap(), Some(Raw(Bytes::from("\0bytes"))));
    assert_eq!(*store.server_secret(), secret);
}

#[tokio::test]
async fn an_error_rolls_back_its_own_closure_only() {
    #[derive(Debug, thiserror::Error)]
    enum Refusal {
        #[error("refused")]
        Refused,
        #[error(transparent)]
        Store(#[from] Error),
    }
    let store = ephemeral();
    let refused = store.write(|tx| -> Result<(), Refusal> {
        tx.put(&NUMBERS, "refused", &1)?;
        Err(Refusal::Refused)
    });
    let (before, refused, after) =
        tokio::join!(put_number(&store, "before", 1), refused, put_number(&store, "after", 1));
    before.unwrap();
    after.unwrap();
    assert!(matches!(refused, Err(Refusal::Refused)));
    assert_eq!(["before", "refused", "after"].map(|key| number(&store, key)), [Some(1), None, Some(1)]);
}

#[tokio::test]
async fn a_panic_is_an_error_for_its_caller_and_for_nobody_else() {
    let store = ephemeral();
    let panicking = store.write(|tx| -> Result<(), Error> {
        tx.put(&NUMBERS, "panicked", &1)?;
        panic!("on purpose: {}", 7)
    });
    let (before, panicked, after) =
        tokio::join!(put_number(&store, "before", 1), panicking, put_number(&store, "after", 1));
    before.unwrap();
    after.unwrap();
    assert_eq!(panicked.unwrap_err().to_string(), "a store transaction panicked: on purpose: 7");
    assert_eq!(["before", "panicked", "after"].map(|key| number(&store, key)), [Some(1), None, Some(1)]);
}

#[tokio::test]
async fn a_failed_call_that_the_closure_ignores_still_rolls_it_back() {
    let store = ephemeral();
    let ignored = store.write(|tx| {
        tx.put(&NUMBERS, "half", &1)?;
        let _ = tx.put(&LINES, &1, &Raw::default());
        Ok::<_, Error>(())
    });
    let error = ignored.await.unwrap_err();
    assert_eq!(error.to_string(), "table test.lines belongs to logs, but the transaction is of meta");
    assert_eq!(number(&store, "half"), None);
}

#[tokio::test]
async fn a_transaction_sees_its_own_changes_and_earlier_ones() {
    let store = ephemeral();
    put_number(&store, "n", 1).await.unwrap();
    let seen = store.write(|tx| {
        let before = tx.get(&NUMBERS, "n")?;
        tx.put(&NUMBERS, "n", &2)?;
        Ok::<_, Error>((before, tx.get(&NUMBERS, "n")?))
    });
    assert_eq!(seen.await.unwrap(), (Some(1), Some(2)));
}

#[tokio::test]
async fn insert_and_delete_tell_what_was_there() {
    let store = ephemeral();
    let told = store.write(|tx| {
        let inserted = [tx.insert(&NUMBERS, "n", &1)?, tx.insert(&NUMBERS, "n", &2)?];
        let kept = tx.get(&NUMBERS, "n")?;
        let deleted = [tx.delete(&NUMBERS, "n")?, tx.delete(&NUMBERS, "n")?];
        Ok::<_, Error>((inserted, kept, deleted, tx.contains(&NUMBERS, "n")?))
    });
    assert_eq!(told.await.unwrap(), ([true, false], Some(1), [true, false], false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_lose_nothing() {
    const TASKS: i64 = 16;
    const WRITES: i64 = 50;
    let store = ephemeral();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..WRITES {
                    let increment = store.write(|tx| {
                        let next = tx.get(&NUMBERS, "sum")?.unwrap_or(0) + 1;
                        tx.put(&NUMBERS, "sum", &next)
                    });
                    increment.await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(number(&store, "sum"), Some(TASKS * WRITES));
}

#[test]
fn a_read_does_not_see_what_is_written_after_it_began() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = ephemeral();
    runtime.block_on(put_number(&store, "a", 1)).unwrap();
    let seen = store.read(|snapshot| {
        let before = snapshot.get(&NUMBERS, "a")?;
        runtime.block_on(put_number(&store, "a", 2))?;
        runtime.block_on(put_number(&store, "b", 2))?;
        Ok::<_, Error>((before, snapshot.get(&NUMBERS, "a")?, snapshot.get(&NUMBERS, "b")?))
    });
    assert_eq!(seen.unwrap(), (Some(1), Some(1), None));
    assert_eq!((number(&store, "a"), number(&store, "b")), (Some(2), Some(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_half_a_transaction() {
    let store = ephemeral();
    put_number(&store, "left", 1000).await.unwrap();
    put_number(&store, "right", 0).await.unwrap();
    let reader = {
        let store = store.clone();
        std::thread::spawn(move || {
            loop {
                let sides = store.read(|snapshot| {
                    let left = snapshot.get(&NUMBERS, "left")?.unwrap();
                    Ok::<_, Error>((left, snapshot.get(&NUMBERS, "right")?.unwrap()))
                });
                let (left, right) = sides.unwrap();
                assert_eq!(left + right, 1000);
                if left == 0 {
                    break;
                }
            }
        })
    };
    for _ in 0..1000 {
        let shift = store.write(|tx| {
            let left = tx.get(&NUMBERS, "left")?.unwrap();
            tx.put(&NUMBERS, "left", &(left - 1))?;
            tx.put(&NUMBERS, "right", &(1000 - left + 1))
        });
        shift.await.unwrap();
    }
    reader.join().unwrap();
}

async fn store_of_pairs() -> Store {
    let store = ephemeral();
    let fill = store.write(|tx| {
        for name in ["b", "a", "ab", "c"] {
            for n in [3, -1, 2] {
                tx.put(&PAIRS, (name, n), &n)?;
            }
        }
        Ok::<_, Error>(())
    });
    fill.await.unwrap();
    store
}

#[tokio::test]
async fn scans_follow_the_keys_order_within_their_bounds() {
    let store = store_of_pairs().await;
    let check = |scan: Scan<(String, i64)>, expected: &str| {
        let text = |keys: Vec<(String, i64)>| {
            keys.iter().map(|(name, n)| format!("{name}{n}")).collect::<Vec<_>>().join(" ")
        };
        let keys = store.read(|snapshot| snapshot.keys(&PAIRS, &scan)).unwrap();
        let count = store.read(|snapshot| snapshot.count(&PAIRS, &scan)).unwrap();
        assert_eq!(count, keys.len(), "{scan:?}");
        let records = store.read(|snapshot| snapshot.scan(&PAIRS, &scan)).unwrap();
        assert!(records.iter().all(|((_, n), value)| n == value));
        assert_eq!(records.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), keys, "{scan:?}");
        assert_eq!(text(keys), expected, "{scan:?}");
    };
    check(Scan::all(), "a-1 a2 a3 ab-1 ab2 ab3 b-1 b2 b3 c-1 c2 c3");
    check(Scan::all().reverse(), "c3 c2 c-1 b3 b2 b-1 ab3 ab2 ab-1 a3 a2 a-1");
    check(Scan::all().limit(2), "a-1 a2");
    check(Scan::all().limit(0), "");
    check(Scan::prefix(("a",)), "a-1 a2 a3");
    check(Scan::prefix(("a",)).reverse().limit(2), "a3 a2");
    check(Scan::prefix(("a", 2)), "a2");
    check(Scan::prefix(("nobody",)), "");
    check(Scan::prefix(()).starting_with("a"), "a-1 a2 a3 ab-1 ab2 ab3");
    check(Scan::all().at_least(("ab", 2)).below(("c",)), "ab2 ab3 b-1 b2 b3");
    check(Scan::prefix(("b",)).at_least(("b", 0)).reverse(), "b3 b2");
    check(Scan::prefix(("b",)).below(("b", 3)), "b-1 b2");
    check(Scan::all().at_least(("c",)).below(("a",)), "");
    check(Scan::all().after(("ab", 3)).limit(2), "b-1 b2");
    check(Scan::all().after(("b", -1)).limit(2).reverse(), "ab3 ab2");
    check(Scan::prefix(("a",)).after(("a", 0)), "a2 a3");
    check(Scan::prefix(("b",)).after(("a", 3)), "b-1 b2 b3");
    check(Scan::prefix(("a",)).after(("c", 3)).reverse(), "a3 a2 a-1");
}

#[tokio::test]
async fn pages_of_any_size_and_direction_make_up_the_whole() {
    let store = store_of_pairs().await;
    for reverse in [false, true] {
        let turned = |scan: Scan<_>| if reverse { scan.reverse() } else { scan };
        let whole = store.read(|snapshot| snapshot.keys(&PAIRS, &turned(Scan::all()))).unwrap();
        for size in 1..=whole.len() {
            let mut pages: Vec<(String, i64)> = Vec::new();
            loop {
                let scan = match pages.last() {
                    Some(last) => Scan::all().after(last),
                    None => Scan::all(),
                };
                let page = store.read(|snapshot| snapshot.keys(&PAIRS, &turned(scan.limit(size)))).unwrap();
                if page.is_empty() {
                    break;
                }
                pages.extend(page);
            }
            assert_eq!(pages, whole, "{size} {reverse}");
        }
    }
}

#[tokio::test]
async fn a_visitor_stops_when_it_has_seen_enough() {
    let store = store_of_pairs().await;
    let mut seen = Vec::new();
    let visit = store.read(|snapshot| {
        snapshot.visit(&PAIRS, &Scan::prefix(("b",)), |(_, n), _| {
            seen.push(n);
            if n > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    visit.unwrap();
    assert_eq!(seen, [-1, 2]);
}

#[tokio::test]
async fn ranges_are_deleted_and_their_neighbours_are_not() {
    let store = store_of_pairs().await;
    let deleted = store.write(|tx| {
        Ok::<_, Error>((
            tx.delete_prefix(&PAIRS, ("a",))?,
            tx.delete_range(&PAIRS, &Scan::prefix(("b",)).reverse().limit(2))?,
            tx.delete_range(&PAIRS, &Scan::all().at_least(("c", 2)))?,
            tx.delete_prefix(&PAIRS, ("nobody",))?,
        ))
    });
    assert_eq!(deleted.await.unwrap(), (3, 2, 2, 0));
    let left = store.read(|snapshot| snapshot.keys(&PAIRS, &Scan::all())).unwrap();
    let expected = [("ab", -1), ("ab", 2), ("ab", 3), ("b", -1), ("c", -1)];
    assert_eq!(left, expected.map(|(name, n)| (name.to_owned(), n)));
}

#[tokio::test]
async fn tables_with_the_same_keys_do_not_mix() {
    let store = ephemeral();
    put_number(&store, "n", 1).await.unwrap();
    store.write(|tx| tx.put(&OTHERS, "n", &2)).await.unwrap();
    store.write(|tx| tx.delete_prefix(&OTHERS, ())).await.unwrap();
    assert_eq!(number(&store, "n"), Some(1));
}

#[tokio::test]
async fn a_record_of_another_form_is_an_error_that_names_its_table() {
    static AS_TEXT: Table<String, String> = Table::new("test.numbers");
    static BY_NUMBER: Table<u64, i64> = Table::new("test.numbers");
    let store = ephemeral();
    put_number(&store, "n", 1).await.unwrap();
    let value = store.read(|snapshot| snapshot.get(&AS_TEXT, "n")).unwrap_err();
    let key = store.read(|snapshot| snapshot.keys(&BY_NUMBER, &Scan::all())).unwrap_err();
    for error in [value, key] {
        assert!(matches!(error, Error::Malformed { table: "test.numbers", .. }), "{error}");
    }
}

/// Whether the bell has rung since it was last asked.
fn rung(bell: &mut tokio::sync::watch::Receiver<()>) -> bool {
    let rung = bell.has_changed().unwrap();
    bell.mark_unchanged();
    rung
}

#[tokio::test]
async fn a_bell_rings_for_each_committed_change_of_its_table_and_nothing_else() {
    let store = ephemeral();
    let mut bell = store.watch(&NUMBERS);
    assert!(!rung(&mut bell), "nothing has happened");
    put_number(&store, "n", 1).await.unwrap();
    assert!(rung(&mut bell), "a put");
    store.write(|tx| tx.put(&OTHERS, "n", &1)).await.unwrap();
    assert!(!rung(&mut bell), "another table");
    store.write(|tx| tx.delete(&NUMBERS, "nobody")).await.unwrap();
    assert!(!rung(&mut bell), "nothing was there to delete");
    let rolled_back = store.write(|tx| tx.put(&NUMBERS, "n", &2).and(Err::<(), _>(Error::Closed)));
    rolled_back.await.unwrap_err();
    assert!(!rung(&mut bell), "rolled back");
    store.write(|tx| tx.delete(&NUMBERS, "n")).await.unwrap();
    assert!(rung(&mut bell), "a delete");
    drop(store);
    bell.changed().await.unwrap_err();
}

/// Keeps the writer of a domain busy until the sender is dropped.
fn occupy(store: &Store, domain: Domain) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), Error>>) {
    let (release, released) = mpsc::channel::<()>();
    let (started, running) = mpsc::channel();
    let store = store.clone();
    let busy = tokio::spawn(async move {
        let wait = move |_: &mut store::Tx<'_>| {
            started.send(()).unwrap();
            let _ = released.recv();
            Ok(())
        };
        store.write_in(domain, wait).await
    });
    tokio::task::block_in_place(|| running.recv().unwrap());
    (release, busy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_plane_does_not_wait_for_the_logs() {
    let store = ephemeral();
    let (release, busy) = occupy(&store, Domain::Logs);
    put_number(&store, "n", 1).await.unwrap();
    assert_eq!(number(&store, "n"), Some(1));
    drop(release);
    busy.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_wait_when_the_queue_is_full_and_all_are_served() {
    let store = ephemeral();
    let (release, busy) = occupy(&store, Domain::Meta);
    let mut context = Context::from_waker(Waker::noop());
    let mut writes: Vec<_> =
        (0..1500).map(|n| Box::pin(store.write(move |tx| tx.put(&PAIRS, ("queued", n), &n)))).collect();
    for write in &mut writes {
        assert!(write.as_mut().poll(&mut context).is_pending());
    }
    drop(release);
    busy.await.unwrap().unwrap();
    for write in writes {
        write.await.unwrap();
    }
    assert_eq!(store.read(|snapshot| snapshot.count(&PAIRS, &Scan::prefix(("queued",)))).unwrap(), 1500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queued_write_happens_even_if_its_caller_leaves() {
    let store = ephemeral();
    let (release, busy) = occupy(&store, Domain::Meta);
    {
        let mut write = pin!(put_number(&store, "left", 1));
        assert_eq!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).map(drop), Poll::Pending);
    }
    drop(release);
    busy.await.unwrap().unwrap();
    put_number(&store, "later", 1).await.unwrap();
    assert_eq!(number(&store, "left"), Some(1));
}

#[tokio::test]
async fn the_last_handle_may_go_inside_a_closure() {
    let store = ephemeral();
    let directory = store.directory().to_owned();
    let mut bell = store.watch(&NUMBERS);
    let (release, released) = mpsc::channel::<()>();
    let (dropped, was_dropped) = mpsc::channel();
    {
        let last = store.clone();
        let mut write = pin!(store.write(move |_| {
            let _ = released.recv();
            drop(last);
            dropped.send(()).unwrap();
            Ok::<_, Error>(())
        }));
        assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(store);
    drop(release);
    let closed = tokio::time::timeout(Duration::from_secs(30), bell.changed()).await;
    closed.expect("the store closes").unwrap_err();
    was_dropped.recv().expect("the closure went on");
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_reset_empties_an_ephemeral_store_and_refuses_a_durable_one() {
    let store = ephemeral();
    let secret = *store.server_secret();
    put_number(&store, "n", 1).await.unwrap();
    store.write_in(Domain::Logs, |tx| tx.put(&LINES, &1, &Raw::default())).await.unwrap();
    let id = store.blobs().put(Bytes::from("content")).await.unwrap();
    let mut bell = store.watch(&LINES);
    store.reset().await.unwrap();
    assert_eq!(number(&store, "n"), None);
    assert_eq!(store.read(|snapshot| snapshot.count(&LINES, &Scan::all())).unwrap(), 0);
    assert_eq!(store.blobs().list().await.unwrap(), []);
    assert!(rung(&mut bell));
    assert_eq!(*store.server_secret(), secret);
    assert_eq!(store.blobs().put(Bytes::from("content")).await.unwrap(), id);

    let directory = tempfile::tempdir().unwrap();
    let durable =
        Store::open(&Options { location: Location::Directory(directory.path().to_owned()) }).unwrap();
    put_number(&durable, "n", 1).await.unwrap();
    assert!(matches!(durable.reset().await, Err(Error::NotEphemeral)));
    assert_eq!(number(&durable, "n"), Some(1));
}

#[tokio::test]
async fn what_follows_a_commit_runs_before_the_caller_is_answered_and_never_after_a_failure() {
    let store = ephemeral();
    let (ran, runs) = mpsc::channel();
    let followed = |ran: &mpsc::Sender<&'static str>, name: &'static str| {
        let ran = ran.clone();
        move || ran.send(name).unwrap()
    };
    let (kept, undone, unhurt) =
        (followed(&ran, "kept"), followed(&ran, "undone"), followed(&ran, "after a panic"));
    store
        .write(move |tx| {
            tx.after_commit(kept);
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    assert_eq!(runs.try_recv(), Ok("kept"));
    let failed: Result<(), Error> = store
        .write(move |tx| {
            tx.after_commit(undone);
            Err(Error::Closed)
        })
        .await;
    assert!(failed.is_err());
    store
        .write(move |tx| {
            tx.after_commit(|| panic!("as a test"));
            tx.after_commit(unhurt);
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    assert_eq!(runs.try_recv(), Ok("after a panic"));
    assert!(runs.try_recv().is_err());
}

#[tokio::test]
async fn a_transaction_knows_its_domain() {
    let store = ephemeral();
    for domain in [Domain::Meta, Domain::Logs, Domain::Events] {
        assert_eq!(store.write_in(domain, |tx| Ok::<_, Error>(tx.domain())).await.unwrap(), domain);
    }
}
