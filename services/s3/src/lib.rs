//! Amazon S3: buckets, objects, their versions, and what happens when they change.
//!
//! [`S3::answer`] takes a request with its body as a stream. The `s3s` crate reads and writes S3's dialect of HTTP
//! ([`front`], whose table is the index of what is implemented); everything else is here. Small objects are rows, larger
//! ones files ([`content`]); a change of an object and the notifications it causes are one transaction.

mod access;
mod buckets;
mod call;
mod checksums;
mod configuration;
mod content;
mod cors;
mod error;
mod forms;
mod front;
mod household;
mod lifecycle;
mod limits;
mod lists;
mod multipart;
mod notify;
mod objects;
mod record;
mod version_id;

use std::sync::Arc;

use clock::{Alarms, Time};
use deliveries::Deliveries;
use domain::{Clock as _, Timestamp};
use store::{Domain, Snapshot, Store, Tx};

pub use crate::access::{Identify, Identity};
use crate::content::Files;
use crate::error::Refusal;
pub use crate::household::ObjectError;

/// What the service needs of the rest of Hearth.
pub struct Options {
    /// Where records are kept, and under whose directory the files are.
    pub store: Store,
    /// The time of day.
    pub time: Time,
    /// `http://<host>:<port>`, for links in answers.
    pub base_url: Arc<str>,
    /// What delivers notifications.
    pub deliveries: Deliveries,
    /// Whether a bucket may notify somebody.
    pub destinations: Destinations,
    /// Who a caller is to policies.
    pub identify: Identify,
}

/// Whether S3 may notify a target (an ARN) for a bucket (an ARN) of an account.
pub type Destinations = Box<dyn Fn(&str, &str, &str) -> Result<(), Unfit> + Send + Sync>;

/// Why somebody cannot be notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is no such function, queue or topic.
    Absent,
    /// Its policy does not let S3.
    Forbidden,
}

/// The service's state. A cheap handle.
#[derive(Clone)]
pub struct S3(Arc<Inner>);

/// What every handler sees of [`S3`].
pub struct Inner {
    options: Options,
    files: Files,
    /// Keys that are put under a condition.
    watched: objects::conflict::Watched,
    /// When rules of a bucket are to be looked at.
    alarms: Alarms<(String, lifecycle::Due)>,
    front: std::sync::OnceLock<s3s::service::S3Service>,
}

impl std::ops::Deref for S3 {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl std::ops::Deref for Inner {
    type Target = Options;

    fn deref(&self) -> &Options {
        &self.options
    }
}

impl S3 {
    /// The service. Files that a previous run left without a record are removed in the background.
    ///
    /// # Errors
    /// If the files' directory cannot be made or the store cannot be read.
    pub fn start(options: Options) -> std::io::Result<Self> {
        let files = Files::open(options.store.directory(), !options.store.is_ephemeral())?;
        let alarms = Alarms::new(options.time.clone());
        let watched = objects::conflict::Watched::default();
        let s3 = Self(Arc::new(Inner { options, files, watched, alarms, front: std::sync::OnceLock::new() }));
        content::sweep(&s3)?;
        lifecycle::start(&s3);
        Ok(s3)
    }

    /// Forgets every file: the store was emptied.
    pub fn reset(&self) {
        self.alarms.clear();
        self.files.clear();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.store.read(read)
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.store.write_in(Domain::Objects, write).await
    }
}
