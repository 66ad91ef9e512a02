//! What the pipeline promises, against a real store and a virtual clock.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::{Clock as _, Timestamp};
use store::{Domain, Location, Options, Store};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

fn store() -> Store {
    Store::open(&Options { location: Location::Ephemeral }).unwrap()
}

fn time() -> Time {
    Time::virtual_at(Timestamp(1_000_000))
}

fn sender() -> Sender {
    Sender::Authorised { source_arn: "arn:aws:test:::source".into() }
}

fn queue(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

async fn send(deliveries: &Deliveries, store: &Store, delivery: Delivery) -> Result<(), AcceptError> {
    let deliveries = deliveries.clone();
    store.write_in(Domain::Events, move |tx| deliveries.accept(tx, delivery)).await
}

/// Remembers what arrived where and when.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(String, String, i64)>>>);

impl Seen {
    fn note(&self, parcel: &Parcel, now: Timestamp) {
        let text = String::from_utf8_lossy(&parcel.payload).into_owned();
        self.0.lock().unwrap().push((parcel.target.clone(), text, now.0 - 1_000_000));
    }

    fn at(&self) -> Vec<i64> {
        self.0.lock().unwrap().iter().map(|(_, _, at)| at / 1000).collect()
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[tokio::test]
async fn retries_come_to_the_second_and_the_dead_letter_after_the_last() {
    let (store, time, seen) = (store(), time(), Seen::default());
    let deliveries = Deliveries::new(store.clone(), time.clone());
    let (failing, clock) = (seen.clone(), time.clone());
    deliveries.on("sqs", 10, move |parcel| {
        failing.note(&parcel, clock.now());
        std::future::ready(Answer::retry("as a test"))
    });
    let dead = Seen::default();
    let (letters, clock) = (dead.clone(), time.clone());
    deliveries.on("sns", 10, move |parcel| {
        letters.note(&parcel, clock.now());
        std::future::ready(Answer::delivered())
    });
    deliveries.start().await.unwrap();
    let delivery = Delivery {
        policy: Policy { attempts_max: 4, ..Policy::default() },
        dead_letter: Some(DeadLetter {
            target: "arn:aws:sns:us-east-1:000000000000:t".into(),
            details: serde_json::Value::Null,
            explained: false,
        }),
        ..Delivery::new(queue("q"), "event", sender())
    };
    send(&deliveries, &store, delivery).await.unwrap();
    time.advance(Duration::from_secs(60), PATIENCE).await.unwrap();
    assert_eq!(seen.at(), [0, 1, 3, 7]);
    assert_eq!(dead.at(), [7]);
    assert_eq!(dead.0.lock().unwrap()[0].1, "event");
    assert_eq!(deliveries.waiting(&queue("q")), 0);
}

#[tokio::test]
async fn what_was_accepted_in_any_domain_is_taken_up_after_a_restart() {
    let (store, time) = (store(), time());
    let before = Deliveries::new(store.clone(), time.clone());
    for domain in Domain::ALL {
        let (before, target) = (before.clone(), queue(&domain.to_string()));
        let accepted = store.write_in(domain, move |tx| {
            before.accept(tx, Delivery::new(target.clone(), "1", sender()))?;
            before.accept(tx, Delivery::new(target, "2", sender()))
        });
        accepted.await.unwrap();
    }
    drop(before);
    let (seen, after) = (Seen::default(), Deliveries::new(store, time.clone()));
    let (all, clock) = (seen.clone(), time.clone());
    after.on("sqs", 1, move |parcel| {
        all.note(&parcel, clock.now());
        std::future::ready(Answer::delivered())
    });
    after.start().await.unwrap();
    time.advance(Duration::from_secs(1), PATIENCE).await.unwrap();
    let mut by_target: HashMap<String, Vec<String>> = HashMap::new();
    for (target, text, _) in seen.0.lock().unwrap().drain(..) {
        by_target.entry(target).or_default().push(text);
    }
    assert_eq!(by_target.len(), Domain::ALL.len());
    assert!(by_target.values().all(|texts| *texts == ["1", "2"]), "{by_target:?}");
}

#[tokio::test]
async fn nothing_is_delivered_of_a_transaction_that_failed() {
    let (store, time, seen) = (store(), time(), Seen::default());
    let deliveries = Deliveries::new(store.clone(), time.clone());
    let (all, clock) = (seen.clone(), time.clone());
    deliveries.on("sqs", 10, move |parcel| {
        all.note(&parcel, clock.now());
        std::future::ready(Answer::delivered())
    });
    deliveries.start().await.unwrap();
    let handle = deliveries.clone();
    let failed: Result<(), AcceptError> = store
        .write_in(Domain::Events, move |tx| {
            handle.accept(tx, Delivery::new(queue("q"), "event", sender()))?;
            Err(store::Error::Closed.into())
        })
        .await;
    assert!(failed.is_err());
    time.advance(Duration::from_secs(1), PATIENCE).await.unwrap();
    assert_eq!(seen.count(), 0);
}

#[tokio::test]
async fn a_flood_to_one_target_does_not_delay_another() {
    let (store, time) = (store(), time());
    let deliveries = Deliveries::new(store.clone(), time.clone());
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    deliveries.on("sqs", 4, move |parcel: Parcel| {
        let arrived = arrived.clone();
        async move {
            if parcel.target.ends_with("flooded") {
                // Never done: nothing of this target comes free.
                std::future::pending::<()>().await;
            }
            arrived.send(parcel.target).unwrap();
            Answer::delivered()
        }
    });
    deliveries.start().await.unwrap();
    for _ in 0..200 {
        send(&deliveries, &store, Delivery::new(queue("flooded"), "event", sender())).await.unwrap();
    }
    send(&deliveries, &store, Delivery::new(queue("quiet"), "event", sender())).await.unwrap();
    let first = tokio::time::timeout(PATIENCE, arrivals.recv()).await.unwrap().unwrap();
    assert_eq!(first, queue("quiet"));
    assert_eq!(deliveries.waiting(&queue("flooded")), 200);
}

#[tokio::test]
async fn a_long_backlog_is_worked_off_once_each() {
    const COUNT: usize = 5_000;
    let (store, time) = (store(), time());
    let deliveries = Deliveries::new(store.clone(), time.clone());
    let seen = Arc::new((0..COUNT).map(|_| AtomicUsize::new(0)).collect::<Vec<_>>());
    let counted = Arc::clone(&seen);
    deliveries.on("sqs", 16, move |parcel: Parcel| {
        let number: usize = String::from_utf8_lossy(&parcel.payload).parse().unwrap();
        counted[number].fetch_add(1, Ordering::Relaxed);
        // Every seventh needs a second attempt.
        let again = number.is_multiple_of(7) && parcel.attempts == 0;
        std::future::ready(if again { Answer::retry("as a test") } else { Answer::delivered() })
    });
    let handle = deliveries.clone();
    let accepted = store.write_in(Domain::Events, move |tx| {
        (0..COUNT).try_for_each(|number| {
            handle.accept(tx, Delivery::new(queue("long"), number.to_string(), sender()))
        })
    });
    accepted.await.unwrap();
    deliveries.start().await.unwrap();
    while deliveries.waiting(&queue("long")) > 0 {
        time.advance(Duration::from_secs(1), PATIENCE).await.unwrap();
    }
    for (number, count) in seen.iter().enumerate() {
        let attempts = if number.is_multiple_of(7) { 2 } else { 1 };
        assert_eq!(count.load(Ordering::Relaxed), attempts, "{number}");
    }
    let left = store.read(|snapshot| snapshot.count(&record::payloads(Domain::Events), &store::Scan::all()));
    assert_eq!(left.unwrap(), 0);
}

#[tokio::test]
async fn a_target_that_nobody_delivers_to_is_given_up_to_the_dead_letter_target() {
    let (store, time, seen) = (store(), time(), Seen::default());
    let deliveries = Deliveries::new(store.clone(), time.clone());
    let (letters, clock) = (seen.clone(), time.clone());
    deliveries.on("sqs", 10, move |parcel| {
        letters.note(&parcel, clock.now());
        std::future::ready(Answer::delivered())
    });
    deliveries.start().await.unwrap();
    let delivery = Delivery {
        dead_letter: Some(DeadLetter {
            target: queue("dead"),
            details: serde_json::Value::Null,
            explained: false,
        }),
        ..Delivery::new("arn:aws:nothing:::at-all", "event", sender())
    };
    send(&deliveries, &store, delivery).await.unwrap();
    time.advance(Duration::from_secs(1), PATIENCE).await.unwrap();
    assert_eq!(seen.at(), [0]);
}

#[tokio::test]
async fn a_handler_that_panics_has_failed_and_nothing_else() {
    let (store, time, attempts) = (store(), time(), Arc::new(AtomicUsize::new(0)));
    let deliveries = Deliveries::new(store.clone(), time.clone());
    let counted = Arc::clone(&attempts);
    deliveries.on("sqs", 10, move |_| {
        let attempt = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            assert!(attempt > 0, "as a test");
            Answer::delivered()
        }
    });
    deliveries.start().await.unwrap();
    send(&deliveries, &store, Delivery::new(queue("q"), "event", sender())).await.unwrap();
    time.advance(Duration::from_secs(2), PATIENCE).await.unwrap();
    assert_eq!((attempts.load(Ordering::Relaxed), deliveries.waiting(&queue("q"))), (2, 0));
}

#[tokio::test]
async fn what_is_not_due_waits_for_its_moment() {
    let (store, time, seen) = (store(), time(), Seen::default());
    let deliveries = Deliveries::new(store.clone(), time.clone());
    let (all, clock) = (seen.clone(), time.clone());
    deliveries.on("sqs", 10, move |parcel| {
        all.note(&parcel, clock.now());
        std::future::ready(Answer::delivered())
    });
    deliveries.start().await.unwrap();
    let later = Delivery {
        not_before: Some(time.now().plus(Duration::from_secs(3600))),
        ..Delivery::new(queue("q"), "later", sender())
    };
    send(&deliveries, &store, later).await.unwrap();
    time.advance(Duration::from_secs(3599), PATIENCE).await.unwrap();
    assert_eq!(seen.count(), 0);
    time.advance(Duration::from_secs(1), PATIENCE).await.unwrap();
    assert_eq!(seen.at(), [3600]);
}

/// What a dead letter says that ends a delivery with this answer at each attempt.
async fn letter_of(answer: fn() -> Answer) -> Option<Message> {
    let (store, time) = (store(), time());
    let deliveries = Deliveries::new(store.clone(), time.clone());
    deliveries.on("lambda", 1, move |_| std::future::ready(answer()));
    let letter = Arc::new(Mutex::new(None));
    let got = Arc::clone(&letter);
    deliveries.on("sqs", 1, move |parcel| {
        *got.lock().unwrap() = parcel.details().ok();
        std::future::ready(Answer::delivered())
    });
    deliveries.start().await.unwrap();
    let delivery = Delivery {
        policy: Policy { attempts_max: 3, ..Policy::default() },
        dead_letter: Some(DeadLetter {
            target: queue("dead"),
            details: serde_json::Value::Null,
            explained: true,
        }),
        ..Delivery::new("arn:aws:lambda:us-east-1:000000000000:function:f", "event", sender())
    };
    send(&deliveries, &store, delivery).await.unwrap();
    time.advance(Duration::from_secs(60), PATIENCE).await.unwrap();
    letter.lock().unwrap().take()
}

#[tokio::test]
async fn a_dead_letter_says_what_went_wrong() {
    let says = |message: &Message| -> Vec<_> {
        message.attributes.iter().map(|(name, value)| format!("{name}={}", value.value)).collect()
    };
    let refused = letter_of(|| Answer::failed("not\nallowed").coded("NO_PERMISSIONS")).await.unwrap();
    assert_eq!(
        says(&refused),
        ["ERROR_CODE=NO_PERMISSIONS", "ERROR_MESSAGE=not allowed", "RETRY_ATTEMPTS=0"]
    );
    let tired = letter_of(|| Answer::retry("as a test")).await.unwrap();
    assert_eq!(
        says(&tired),
        [
            "ERROR_CODE=ERROR_FROM_TARGET",
            "ERROR_MESSAGE=as a test; attempt 3 was the last",
            "EXHAUSTED_RETRY_CONDITION=MaximumRetryAttempts",
            "RETRY_ATTEMPTS=2",
        ]
    );
}

#[tokio::test]
async fn what_the_target_had_taken_is_no_dead_letter_of_the_senders() {
    assert_eq!(letter_of(|| Answer::failed("RetriesExhausted").taken()).await, None);
}
