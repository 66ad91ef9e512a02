//! The server's time: the machine's, or one that stands still until somebody moves it.
//!
//! A virtual clock begins at the machine's time and is kept: after a restart it shows no earlier moment than before, so
//! that no record is from the future.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clock::Time;
use domain::{Clock as _, SystemClock, Timestamp};
use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use store::{Store, Table};
use wire::gateway::{Body, Origin, RequestInfo};

use crate::config::TimePolicy;
use crate::routes::{json, not_allowed};

/// What the virtual clock shows, under [`KEY`].
static VIRTUAL_TIME: Table<(String,), Timestamp> = Table::new("server.virtual-time");
const KEY: &str = "now";

/// How long one moment of virtual time may take in real time: a function that was due may run for so long before time
/// goes on without it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest step: a hundred years. The clock must stay one that can be written as a date.
const STEP_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// The clock that was asked for.
pub fn start(policy: TimePolicy, store: &Store) -> Result<Time, store::Error> {
    let kept = store.read(|snapshot| snapshot.get(&VIRTUAL_TIME, (KEY,)))?;
    match policy {
        TimePolicy::System => Ok(Time::system()),
        TimePolicy::Virtual => Ok(Time::virtual_at(SystemClock.now().max(kept.unwrap_or_default()))),
    }
}

/// Who may move the clock, and where it is kept.
pub struct Hand {
    pub time: Time,
    pub store: Store,
    /// Hearth's own paths carry no signature, so a server that demands one does not offer this.
    pub demands_signatures: bool,
}

/// What `POST /_hearth/time` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Step {
    advance_seconds: f64,
}

impl Hand {
    /// Moves the clock; the message says why not.
    async fn advance(&self, by: Duration) -> Result<Timestamp, (StatusCode, String)> {
        if self.demands_signatures {
            let message = "This server demands signed requests (--auth), and moving time has no signature.";
            return Err((StatusCode::CONFLICT, message.to_owned()));
        }
        if !self.time.is_virtual() {
            return Err((StatusCode::CONFLICT, format!("{}.", sentence(&clock::NotVirtual.to_string()))));
        }
        // Kept before anything happens at these moments: what is stamped on the way is not in the future after a kill.
        let target = self.time.now().plus(by);
        let keep = move |tx: &mut store::Tx<'_>| {
            let kept = tx.get(&VIRTUAL_TIME, (KEY,))?.unwrap_or_default();
            tx.put(&VIRTUAL_TIME, (KEY,), &kept.max(target))
        };
        let failed = |error: String| (StatusCode::INTERNAL_SERVER_ERROR, error);
        self.store.write(keep).await.map_err(|error: store::Error| failed(error.to_string()))?;
        self.time.advance(by, PATIENCE).await.map_err(|error| failed(error.to_string()))
    }
}

/// `GET /_hearth/time` tells the time; `POST` with `{"advanceSeconds": 120}` moves it. It is for whoever started the
/// server: a function that could do it would move everybody's time.
pub async fn route(hand: Arc<Hand>, request: Request<Bytes>) -> Response<Body> {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return tell(&hand, hand.time.now());
    }
    if request.method() != Method::POST {
        return not_allowed("GET, POST");
    }
    let from_host = request.extensions().get::<RequestInfo>().is_some_and(|info| info.origin == Origin::Host);
    if !from_host {
        return refuse(StatusCode::FORBIDDEN, "A function cannot move Hearth's time.");
    }
    let by = serde_json::from_slice(request.body()).ok().and_then(|step: Step| span(step.advance_seconds));
    let Some(by) = by else {
        return refuse(StatusCode::BAD_REQUEST, "Send {\"advanceSeconds\": N}, with N from 0 to 100 years.");
    };
    match hand.advance(by).await {
        Ok(now) => tell(&hand, now),
        Err((status, message)) => refuse(status, &message),
    }
}

fn span(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|span| *span <= STEP_MAX)
}

fn tell(hand: &Hand, now: Timestamp) -> Response<Body> {
    let clock = if hand.time.is_virtual() { "virtual" } else { "system" };
    json(
        StatusCode::OK,
        serde_json::json!({
            "clock": clock,
            "epochMs": now.epoch_ms(),
            "now": jiff::Timestamp::from_millisecond(now.epoch_ms()).unwrap_or_default().to_string(),
        }),
    )
}

fn refuse(status: StatusCode, message: &str) -> Response<Body> {
    json(status, serde_json::json!({ "message": message }))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_spans_that_exist_are_steps() {
        assert_eq!(span(1.5), Some(Duration::from_millis(1500)));
        for wrong in [-1.0, f64::NAN, f64::INFINITY, 1e12] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn virtual_time_does_not_go_back_at_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let open = || {
            let location = store::Location::Directory(directory.path().to_owned());
            Store::open(&store::Options { location }).unwrap()
        };
        let store = open();
        let time = start(TimePolicy::Virtual, &store).unwrap();
        let hand = Hand { time, store, demands_signatures: false };
        let moved = hand.advance(Duration::from_secs(3600)).await.unwrap();
        drop(hand);
        assert!(start(TimePolicy::Virtual, &open()).unwrap().now() >= moved);
    }
}
