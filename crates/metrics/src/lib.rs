//! What happened, by the minute: metrics as CloudWatch names them, kept where it will read them.
//!
//! Recording is a push onto a queue in memory ([`Metrics::observe`]): what is observed is turned into series and numbers
//! later, off the path of whoever observed it. What happens thousands of times a second is counted where it happens and
//! fetched from there ([`Metrics::gather_from`]). A second after the first observation they are added to what is stored.
//! What was not stored yet when the server is killed is lost; nothing that was asked for ever depends on a metric.

mod series;
mod store_points;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::Time;
use domain::{Clock as _, Timestamp};
use store::{Domain, Store};
use tokio::sync::Notify;

pub use series::{Dimensions, Point, Series, Statistics};

/// How long observations are gathered before they are stored. Real time: it bounds what a kill loses.
const GATHER: Duration = Duration::from_secs(1);
/// Observations in memory; whoever makes more adds them up itself.
const OBSERVATIONS_MAX: usize = 8 * 1024;
/// Points in memory while the store fails; more are lost, and it is said.
const POINTS_MAX: usize = 64 * 1024;
/// After the store failed.
const RETRY: Duration = Duration::from_secs(10);
/// How long points of a minute are kept.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html>
pub const RETENTION: Duration = Duration::from_secs(15 * 24 * 3600);

/// Takes observations. A cheap handle.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    store: Store,
    time: Time,
    observed: Mutex<Vec<(Timestamp, Observation)>>,
    sources: Mutex<Vec<Source>>,
    gathered: Mutex<Gathered>,
    bell: Notify,
    /// Held while points are stored, so that who asks sees what came before.
    storing: tokio::sync::Mutex<()>,
}

type Observation = Box<dyn FnOnce(&mut Recorder<'_>) + Send>;
type Source = Box<dyn Fn(&mut Recorder<'_>) + Send>;

#[derive(Default)]
struct Gathered {
    points: HashMap<(Series, u64), Statistics>,
    lost: u64,
}

/// Where an observation puts its numbers.
pub struct Recorder<'a> {
    minute: u64,
    gathered: &'a mut Gathered,
}

impl Recorder<'_> {
    /// From here on, what is recorded is of this moment's minute.
    pub fn set_time(&mut self, at: Timestamp) {
        self.minute = series::minute(at);
    }

    /// Adds one value to a series.
    pub fn add(&mut self, series: Series, value: f64) {
        let mut one = Statistics::default();
        one.add(value);
        self.merge(series, &one);
    }

    /// Adds what was counted elsewhere to a series.
    pub fn merge(&mut self, series: Series, statistics: &Statistics) {
        if self.gathered.points.len() >= POINTS_MAX
            && !self.gathered.points.contains_key(&(series.clone(), self.minute))
        {
            self.gathered.lost += 1;
            return;
        }
        self.gathered.points.entry((series, self.minute)).or_default().merge(statistics);
    }
}

impl Metrics {
    /// Starts to gather. Must be called inside an async runtime.
    pub fn start(store: Store, time: Time) -> Self {
        let inner = Arc::new(Inner {
            store,
            time,
            observed: Mutex::default(),
            sources: Mutex::default(),
            gathered: Mutex::default(),
            bell: Notify::new(),
            storing: tokio::sync::Mutex::default(),
        });
        tokio::spawn(keep(Arc::clone(&inner)));
        Self(inner)
    }

    /// Something happened now. Returns at once; `observation` runs later.
    pub fn observe(&self, observation: impl FnOnce(&mut Recorder<'_>) + Send + 'static) {
        let at = self.0.time.now();
        let (count, full) = {
            let mut observed = lock(&self.0.observed);
            observed.push((at, Box::new(observation)));
            let count = observed.len();
            (count, (count >= OBSERVATIONS_MAX).then(|| mem::take(&mut *observed)))
        };
        if count == 1 {
            self.0.bell.notify_one();
        }
        if let Some(observed) = full {
            self.0.gather(observed);
        }
    }

    /// Asks `source` for what it has counted since it was last asked, whenever observations are gathered.
    pub fn gather_from(&self, source: impl Fn(&mut Recorder<'_>) + Send + 'static) {
        lock(&self.0.sources).push(Box::new(source));
    }

    /// A source has counted the first since it was asked.
    pub fn counted(&self) {
        self.0.bell.notify_one();
    }

    /// Now, as observations are stamped.
    pub fn now(&self) -> Timestamp {
        self.0.time.now()
    }

    /// What was recorded of a series in `[from, to)`, by minute. Sees everything observed before.
    ///
    /// # Errors
    /// The store's.
    pub async fn points(
        &self,
        series: &Series,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Point>, store::Error> {
        self.flush().await?;
        self.0.store.read(|snapshot| store_points::read(snapshot, series, from, to))
    }

    /// The series of a scope and a namespace.
    ///
    /// # Errors
    /// The store's.
    pub async fn series(&self, scope: &domain::Scope, namespace: &str) -> Result<Vec<Series>, store::Error> {
        self.flush().await?;
        self.0.store.read(|snapshot| store_points::list(snapshot, scope, namespace))
    }

    /// Stores what was observed until now.
    ///
    /// # Errors
    /// The store's; what could not be stored is kept and tried again.
    pub async fn flush(&self) -> Result<(), store::Error> {
        self.0.flush().await
    }

    /// Forgets what is not stored: the store was emptied.
    pub fn reset(&self) {
        self.0.gather(mem::take(&mut *lock(&self.0.observed)));
        *lock(&self.0.gathered) = Gathered::default();
    }
}

impl Inner {
    fn gather(&self, observed: Vec<(Timestamp, Observation)>) {
        let mut gathered = lock(&self.gathered);
        for (at, observation) in observed {
            observation(&mut Recorder { minute: series::minute(at), gathered: &mut gathered });
        }
        for source in lock(&self.sources).iter() {
            source(&mut Recorder { minute: series::minute(self.time.now()), gathered: &mut gathered });
        }
    }

    async fn flush(&self) -> Result<(), store::Error> {
        let _turn = self.storing.lock().await;
        self.gather(mem::take(&mut *lock(&self.observed)));
        let (points, lost) = {
            let mut gathered = lock(&self.gathered);
            (Arc::new(mem::take(&mut gathered.points)), mem::take(&mut gathered.lost))
        };
        if lost > 0 {
            tracing::error!(lost, "more metrics than memory has room for while the store fails");
        }
        if points.is_empty() {
            return Ok(());
        }
        let (to_store, now) = (Arc::clone(&points), self.time.now());
        let stored = self.store.write_in(Domain::Logs, move |tx| store_points::add(tx, &to_store, now)).await;
        if stored.is_err() {
            let mut gathered = lock(&self.gathered);
            for (key, statistics) in points.iter() {
                gathered.points.entry(key.clone()).or_default().merge(statistics);
            }
        }
        stored
    }
}

async fn keep(inner: Arc<Inner>) {
    loop {
        inner.bell.notified().await;
        tokio::time::sleep(GATHER).await;
        while let Err(error) = inner.flush().await {
            if matches!(error, store::Error::Closed) {
                return;
            }
            tracing::error!(%error, "metrics are not stored yet");
            tokio::time::sleep(RETRY).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
