//! Amazon EventBridge Scheduler: groups and schedules.
//!
//! [`service`] is the index of what is implemented. A schedule that is due becomes one delivery to its target; that it
//! fired is stored in the same transaction.

mod error;
mod groups;
mod page;
mod record;
mod schedules;
pub mod shapes;

use std::sync::Arc;

use clock::{Alarms, Time};
use deliveries::Deliveries;
use domain::{Clock as _, Timestamp};
use store::{Domain, Snapshot, Store, Tx};
use wire::Error;

use crate::error::Refusal;
pub use crate::schedules::universal;

/// The table: one line per operation.
pub fn service(scheduler: Scheduler) -> wire::Service {
    wire::Service::new(&shapes::SERVICE, scheduler)
        .on::<shapes::CreateSchedule>(schedules::create)
        .on::<shapes::UpdateSchedule>(schedules::update)
        .on::<shapes::DeleteSchedule>(schedules::delete)
        .on::<shapes::GetSchedule>(schedules::get)
        .on::<shapes::ListSchedules>(schedules::list)
        .on::<shapes::CreateScheduleGroup>(groups::create)
        .on::<shapes::DeleteScheduleGroup>(groups::delete)
        .on::<shapes::GetScheduleGroup>(groups::get)
        .on::<shapes::ListScheduleGroups>(groups::list)
        .on::<shapes::TagResource>(groups::tag)
        .on::<shapes::UntagResource>(groups::untag)
        .on::<shapes::ListTagsForResource>(groups::list_tags)
        .build()
}

/// Whether Scheduler may assume the role with this ARN.
pub type MayAssume = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The service's state. A cheap handle.
#[derive(Clone)]
pub struct Scheduler(Arc<Inner>);

/// What every handler sees of [`Scheduler`].
pub struct Inner {
    store: Store,
    time: Time,
    deliveries: Deliveries,
    alarms: Alarms<schedules::Name>,
    may_assume: MayAssume,
}

impl std::ops::Deref for Scheduler {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Scheduler {
    /// Takes up schedules where a previous run left them.
    pub fn start(
        store: Store,
        time: Time,
        deliveries: Deliveries,
        may_assume: MayAssume,
    ) -> Result<Self, store::Error> {
        let alarms = Alarms::new(time.clone());
        let scheduler = Self(Arc::new(Inner { store, time, deliveries, alarms, may_assume }));
        scheduler.store.read(|snapshot| schedules::set_all(&scheduler, snapshot))?;
        tokio::spawn(schedules::run(scheduler.clone()));
        Ok(scheduler)
    }

    /// Forgets every schedule: the store was emptied.
    pub fn reset(&self) {
        self.alarms.clear();
    }

    /// Refuses a role that would fail each time that a schedule is due.
    fn check_role(&self, arn: &str) -> Result<(), Error> {
        if (self.may_assume)(arn) {
            return Ok(());
        }
        Err(error::validation(
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
        ))
    }

    fn now(&self) -> Timestamp {
        self.time.now()
    }

    fn read<T>(&self, read: impl FnOnce(&Snapshot<'_>) -> Result<T, Refusal>) -> Result<T, Error> {
        Ok(self.store.read(read)?)
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Error> {
        Ok(self.store.write_in(Domain::Events, write).await?)
    }
}
