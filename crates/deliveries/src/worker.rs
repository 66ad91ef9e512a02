//! A lane's task: waits for what is due, attempts it, settles what came of it.

use std::sync::Arc;
use std::time::Duration;

use domain::{Clock as _, Timestamp};
use store::{Raw, Scan, Tx};
use tokio::sync::Notify;

use crate::answer::{self, Next};
use crate::inner::{self, Inner, LaneKey};
use crate::lane::{Lane, Step};
use crate::letter::Ending;
use crate::record::{Delivery, Parcel, Purpose, Record, Turn, items, kind, payloads};
use crate::{Answer, GivenUp, Verdict};

/// How long to wait after the store failed, at first and at most. Real time: the disk knows no other.
const STORE_RETRY: Duration = Duration::from_millis(500);
const STORE_RETRY_MAX: Duration = Duration::from_secs(30);

/// Works a lane off, and ends with it.
pub(crate) async fn run(inner: Arc<Inner>, key: LaneKey, bell: Arc<Notify>) {
    while !inner.is_closing() {
        let step = {
            let mut lanes = inner.lanes();
            let Some(open) = lanes.get_mut(&key) else { return };
            let step = open.books.next(inner.time.now());
            if step == Step::End {
                // Under the lock, so that whatever arrives next opens a new one.
                lanes.remove(&key);
                return;
            }
            step
        };
        match step {
            Step::Start(turn) => begin(&inner, &key, turn).await,
            Step::Refill => refill(&inner, &key).await,
            Step::WaitUntil(moment) => tokio::select! {
                due = inner.time.sleep_until(moment) => with_books(&inner, &key, |books| books.woke(due)),
                () = bell.notified() => {}
            },
            Step::Crowded(span) => tokio::select! {
                () = tokio::time::sleep(span) => with_books(&inner, &key, Lane::grow),
                () = bell.notified() => {}
            },
            Step::Wait => bell.notified().await,
            Step::End => unreachable!("it returned above"),
        }
    }
}

fn with_books(inner: &Inner, key: &LaneKey, change: impl FnOnce(&mut Lane)) {
    if let Some(open) = inner.lanes().get_mut(key) {
        change(&mut open.books);
        open.bell.notify_one();
    }
}

async fn refill(inner: &Arc<Inner>, key: &LaneKey) {
    let mut count = 0;
    with_books(inner, key, |books| count = books.refill_count());
    let scan = Scan::prefix((&*key.target,)).limit(count);
    match inner.store.read(|snapshot| snapshot.keys(&items(key.domain), &scan)) {
        Ok(found) => {
            let all = found.len() < count;
            let turns = found.into_iter().map(|(_, due, number)| (due, number));
            with_books(inner, key, |books| books.refilled(turns, all));
        }
        Err(error) => {
            tracing::error!(target_arn = &*key.target, %error, "deliveries cannot be read; it is tried again");
            tokio::time::sleep(STORE_RETRY_MAX).await;
        }
    }
}

/// Reads a delivery and attempts it in a task of its own.
async fn begin(inner: &Arc<Inner>, key: &LaneKey, turn: Turn) {
    let read = inner.store.read(|snapshot| {
        let record = snapshot.get(&items(key.domain), (&*key.target, turn.0, turn.1))?;
        let payload = snapshot.get(&payloads(key.domain), &turn.1)?;
        Ok::<_, store::Error>(record.zip(payload))
    });
    match read {
        Ok(Some((record, Raw(payload)))) => {
            with_books(inner, key, |books| books.weighs(turn, payload.len()));
            let parcel = Parcel {
                target: key.target.to_string(),
                id: record.id,
                payload,
                details: record.details.clone(),
                purpose: record.purpose,
                sender: record.sender.clone(),
                accepted: record.accepted,
                attempts: record.attempts,
            };
            let under_way = inner.under_way();
            let (inner, key) = (Arc::clone(inner), key.clone());
            tokio::spawn(async move {
                let answer = attempt(&inner, parcel).await;
                settle(&inner, &key, turn, record, answer).await;
                drop(under_way);
            });
        }
        // It was done with since the turn was read from the disk.
        Ok(None) => with_books(inner, key, |books| books.finished(turn)),
        Err(error) => {
            tracing::error!(target_arn = &*key.target, %error, "a delivery cannot be read; it is tried again");
            let now = inner.time.now();
            with_books(inner, key, |books| books.refused(turn, now, None));
        }
    }
}

async fn attempt(inner: &Inner, parcel: Parcel) -> Answer {
    let Some(handler) = inner.handler(&parcel.target) else {
        return Answer::failed(format!("this server delivers nothing to {}", kind(&parcel.target)));
    };
    // In a task of its own: a handler that panics has failed, and nothing else.
    match tokio::spawn((handler.attempt)(parcel)).await {
        Ok(answer) => answer,
        Err(ended) if ended.is_cancelled() => Verdict::NotNow.into(),
        Err(panicked) => Answer::retry(format!("the attempt panicked: {panicked}")),
    }
}

async fn settle(inner: &Arc<Inner>, key: &LaneKey, turn: Turn, record: Record, answer: Answer) {
    let now = inner.time.now();
    match answer::next(&record, now, answer.verdict) {
        Next::Keep => {}
        Next::Pause { within } => with_books(inner, key, |books| books.refused(turn, now, within)),
        Next::Remove => close(inner, key, turn, answer.then).await,
        Next::GiveUp { why, exhausted } => {
            let ending = Ending { code: answer.code, why, exhausted, retries: record.attempts };
            // What the target had taken is no dead letter of the sender's.
            let record = Record { dead_letter: record.dead_letter.filter(|_| !answer.taken), ..record };
            let given_up = GivenUp {
                target: key.target.to_string(),
                id: record.id,
                purpose: record.purpose,
                sender: record.sender.clone(),
                why: ending.why.clone(),
                followed: record.dead_letter.is_some() || !answer.then.is_empty(),
            };
            let GivenUp { target, id, why, followed, .. } = &given_up;
            tracing::warn!(target_arn = target, %id, why, followed, "delivery given up");
            inner.tell(&given_up);
            give_up(inner, key, turn, record, ending, answer.then).await;
        }
        Next::Again { at, attempts, setbacks } => {
            put_off(inner, key, turn, at, Record { attempts, setbacks, ..record }).await;
        }
    }
}

async fn close(inner: &Arc<Inner>, key: &LaneKey, turn: Turn, then: Vec<Delivery>) {
    write(inner, key, turn, move |inner, key, tx| {
        tx.delete(&payloads(key.domain), &turn.1)?;
        then.iter().try_for_each(|delivery| inner::accept(inner, tx, delivery.clone()))
    })
    .await;
}

async fn give_up(
    inner: &Arc<Inner>,
    key: &LaneKey,
    turn: Turn,
    record: Record,
    ending: Ending,
    then: Vec<Delivery>,
) {
    write(inner, key, turn, move |inner, key, tx| {
        let payload = tx.get(&payloads(key.domain), &turn.1)?.unwrap_or_default();
        tx.delete(&payloads(key.domain), &turn.1)?;
        if let Some(dead_letter) = record.dead_letter.clone() {
            let letter = Delivery {
                id: record.id,
                purpose: Purpose::DeadLetter,
                ..Delivery::new(dead_letter.target.clone(), payload.0, record.sender.clone())
            };
            let letter = Delivery { details: ending.details(dead_letter), ..letter };
            inner::accept(inner, tx, letter)?;
        }
        then.iter().try_for_each(|delivery| inner::accept(inner, tx, delivery.clone()))
    })
    .await;
}

async fn put_off(inner: &Arc<Inner>, key: &LaneKey, turn: Turn, at: Timestamp, record: Record) {
    write(inner, key, turn, move |inner, key, tx| {
        tx.put(&items(key.domain), (&*key.target, at, turn.1), &record)?;
        let (inner, key) = (Arc::clone(inner), key.clone());
        tx.after_commit(move || inner.arrived(key, (at, turn.1)));
        Ok(())
    })
    .await;
}

/// Takes the turn out of the store together with what follows from it, however often it takes. An attempt that was
/// made must not be made again only because its end could not be written.
async fn write(
    inner: &Arc<Inner>,
    key: &LaneKey,
    turn: Turn,
    follow: impl Fn(&Arc<Inner>, &LaneKey, &mut Tx<'_>) -> Result<(), store::Error> + Clone + Send + 'static,
) {
    let mut pause = STORE_RETRY;
    loop {
        let (shared, lane, follow) = (Arc::clone(inner), key.clone(), follow.clone());
        let written = inner.store.write_in(key.domain, move |tx| {
            // Gone already: the store was emptied meanwhile, and with it the reason for what would follow.
            if !tx.delete(&items(lane.domain), (&*lane.target, turn.0, turn.1))? {
                return Ok(());
            }
            follow(&shared, &lane, tx)
        });
        match written.await {
            Ok(()) => break,
            Err(store::Error::Closed) => return,
            Err(error) => {
                tracing::error!(target_arn = &*key.target, %error, "the end of a delivery is not stored yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(STORE_RETRY_MAX);
            }
        }
    }
    with_books(inner, key, |books| books.finished(turn));
}
