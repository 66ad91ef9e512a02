//! Messages to people: e-mails and texts. Hearth sends none; it keeps the last ones where they can be read, at
//! `GET /_hearth/sns/outbox`.

use clock::Time;
use domain::{Clock as _, Scope};
use serde::{Deserialize, Serialize};
use store::{Domain, Scan, Store, Table};
use uuid::Uuid;
use wire::Error;

use crate::error::Refusal;

/// What was sent to people, by time.
static OUTBOX: Table<(i64, Uuid), Kept> = Table::of(Domain::Events, "sns.outbox");

/// How many are kept: enough to look at, never enough to hurt.
const KEPT_MAX: usize = 1_000;

/// The last messages to people.
#[derive(Clone)]
pub(crate) struct Outbox {
    store: Store,
    time: Time,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    account: String,
    region: String,
    to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    message: String,
}

impl Outbox {
    pub(crate) fn new(store: Store, time: Time) -> Self {
        Self { store, time }
    }

    /// Keeps a message, and forgets the oldest if there are too many.
    pub(crate) async fn keep(
        &self,
        scope: &Scope,
        to: &str,
        subject: Option<String>,
        message: String,
    ) -> Result<(), Error> {
        let kept = Kept {
            account: scope.account.to_string(),
            region: scope.region.to_string(),
            to: to.to_owned(),
            subject,
            message,
        };
        let key = (self.time.now().epoch_ms(), Uuid::new_v4());
        self.store
            .write_in(Domain::Events, move |tx| {
                let keys = tx.keys(&OUTBOX, &Scan::all().limit(KEPT_MAX))?;
                if let Some(oldest) = keys.first().filter(|_| keys.len() == KEPT_MAX) {
                    tx.delete(&OUTBOX, *oldest)?;
                }
                tx.put(&OUTBOX, key, &kept)?;
                Ok::<_, Refusal>(())
            })
            .await?;
        Ok(())
    }

    /// All that is kept, as JSON, the oldest first.
    pub(crate) fn to_json(&self) -> Result<String, Error> {
        let all = self
            .store
            .read(|snapshot| snapshot.scan(&OUTBOX, &Scan::all()))
            .map_err(|error: store::Error| crate::error::service(error))?;
        let shown: Vec<serde_json::Value> = all
            .into_iter()
            .map(|((at, _), kept)| {
                let mut shown = serde_json::json!(kept);
                shown["timestamp"] = serde_json::json!(crate::publish::time_shown(domain::Timestamp(at)));
                shown
            })
            .collect();
        serde_json::to_string(&shown).map_err(crate::error::service)
    }
}
