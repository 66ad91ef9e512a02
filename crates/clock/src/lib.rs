//! Time that can be moved: every delay of hours that Hearth keeps to goes through here.
//!
//! [`Time::system`] is the machine's clock. [`Time::virtual_at`] stands still until somebody calls
//! [`Time::advance`], which goes from one due moment to the next: whoever waited for a moment sees exactly that moment,
//! and is done with what was due before time goes on. So retries of minutes and ages of hours are tested in
//! milliseconds, with the same outcome every time.
//!
//! What must stay real does not come here: functions' own timeouts, network timeouts, signatures' ages.

mod alarms;
mod system;
#[cfg(test)]
mod tests;
mod virtual_time;

use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, Timestamp};

pub use alarms::Alarms;
use virtual_time::VirtualTime;
pub use virtual_time::{Due, NotVirtual};

/// The server's time. A cheap handle: clones tell the same time.
#[derive(Clone, Debug)]
pub struct Time(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Virtual(Arc<VirtualTime>),
}

impl Time {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that shows `now` until it is moved.
    pub fn virtual_at(now: Timestamp) -> Self {
        Self(Kind::Virtual(Arc::new(VirtualTime::new(now))))
    }

    /// Whether the clock is one that is moved by hand.
    pub fn is_virtual(&self) -> bool {
        matches!(self.0, Kind::Virtual(_))
    }

    /// Waits until a moment has come; at once if it has already. Keep what it gives until that which was due is done:
    /// virtual time does not go on before.
    ///
    /// Safe to drop and call again, as `select!` does.
    pub async fn sleep_until(&self, moment: Timestamp) -> Due {
        match &self.0 {
            Kind::System => {
                system::sleep_until(moment).await;
                Due::unwatched()
            }
            Kind::Virtual(time) => time.sleep_until(moment).await,
        }
    }

    /// Waits for a span. See [`Time::sleep_until`].
    pub async fn sleep(&self, span: Duration) -> Due {
        self.sleep_until(self.now().plus(span)).await
    }

    /// Says that something is being done which virtual time must not overtake, such as an event that was accepted and
    /// is on its way to a function. Drop it when that is done.
    pub fn busy(&self) -> Due {
        match &self.0 {
            Kind::System => Due::unwatched(),
            Kind::Virtual(time) => time.busy(),
        }
    }

    /// Moves a virtual clock on, through every moment that somebody waits for on the way, and answers with the time it
    /// then shows. Waits, at each, for whoever is busy; but never longer than `patience` in real time at one moment,
    /// so that work which itself waits for the clock cannot hold it for ever.
    ///
    /// # Errors
    /// [`NotVirtual`] of the machine's clock.
    pub async fn advance(&self, by: Duration, patience: Duration) -> Result<Timestamp, NotVirtual> {
        match &self.0 {
            Kind::System => Err(NotVirtual),
            Kind::Virtual(time) => Ok(time.advance(by, patience).await),
        }
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System => domain::SystemClock.now(),
            Kind::Virtual(time) => time.now(),
        }
    }
}
