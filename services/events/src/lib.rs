//! Amazon EventBridge: buses, rules, targets, schedules of rules, archives and replays.
//!
//! [`service`] is the index of what is implemented. An event that is put on a bus becomes one delivery for each target of
//! each rule that wants it, in the transaction that accepts it. Rules are kept in memory as events meet them.

mod access;
mod archives;
mod arn;
mod buses;
mod error;
mod limits;
mod page;
mod put_events;
mod record;
mod rules;
mod scheduled;
pub mod shapes;
mod tags;
mod targets;

use std::sync::Arc;

use clock::{Alarms, Time};
use deliveries::{Answer, Deliveries, Parcel};
use domain::{Clock as _, Scope, Timestamp};
use policy::{Caller, Context as Keys};
use store::{Domain, Scan, Snapshot, Store, Tx};
use wire::Error;

use crate::arn::BusRef;
use crate::error::Refusal;
use crate::put_events::Rules;
use crate::record::{REPLAYS, ReplayState};

/// The table: one line per operation.
pub fn service(events: Events) -> wire::Service {
    wire::Service::new(&shapes::SERVICE, events)
        .on::<shapes::PutEvents>(put_events::put)
        .on::<shapes::TestEventPattern>(put_events::test_pattern)
        .on::<shapes::CreateEventBus>(buses::create)
        .on::<shapes::UpdateEventBus>(buses::update)
        .on::<shapes::DeleteEventBus>(buses::delete)
        .on::<shapes::DescribeEventBus>(buses::describe)
        .on::<shapes::ListEventBuses>(buses::list)
        .on::<shapes::PutPermission>(buses::put_permission)
        .on::<shapes::RemovePermission>(buses::remove_permission)
        .on::<shapes::PutRule>(rules::put)
        .on::<shapes::DeleteRule>(rules::delete)
        .on::<shapes::DescribeRule>(rules::describe)
        .on::<shapes::EnableRule>(rules::enable)
        .on::<shapes::DisableRule>(rules::disable)
        .on::<shapes::ListRules>(rules::list)
        .on::<shapes::ListRuleNamesByTarget>(rules::list_names_by_target)
        .on::<shapes::PutTargets>(targets::put)
        .on::<shapes::RemoveTargets>(targets::remove)
        .on::<shapes::ListTargetsByRule>(targets::list)
        .on::<shapes::CreateArchive>(archives::create)
        .on::<shapes::UpdateArchive>(archives::update)
        .on::<shapes::DeleteArchive>(archives::delete)
        .on::<shapes::DescribeArchive>(archives::describe)
        .on::<shapes::ListArchives>(archives::list)
        .on::<shapes::StartReplay>(archives::start)
        .on::<shapes::CancelReplay>(archives::cancel)
        .on::<shapes::DescribeReplay>(archives::describe_replay)
        .on::<shapes::ListReplays>(archives::list_replays)
        .on::<shapes::TagResource>(tags::tag)
        .on::<shapes::UntagResource>(tags::untag)
        .on::<shapes::ListTagsForResource>(tags::list)
        .build()
}

/// The service's state. A cheap handle.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

/// What every handler sees of [`Events`].
pub struct Inner {
    store: Store,
    time: Time,
    deliveries: Deliveries,
    rules: Rules,
    alarms: Alarms<scheduled::Name>,
}

impl std::ops::Deref for Events {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Events {
    /// Takes up schedules and replays where a previous run left them.
    pub fn start(store: Store, time: Time, deliveries: Deliveries) -> Result<Self, store::Error> {
        let alarms = Alarms::new(time.clone());
        let events = Self(Arc::new(Inner { store, time, deliveries, rules: Rules::default(), alarms }));
        let replays = events.store.read(|snapshot| {
            scheduled::set_all(&events, snapshot)?;
            snapshot.scan(&REPLAYS, &Scan::all())
        })?;
        for ((scope, name), _) in
            replays.into_iter().filter(|(_, replay)| replay.state == ReplayState::Running)
        {
            events.replay_soon(scope, name);
        }
        tokio::spawn(scheduled::run(events.clone()));
        Ok(events)
    }

    /// One attempt of the pipeline to put an event on a bus.
    pub async fn attempt(&self, parcel: Parcel) -> Answer {
        put_events::put_delivery(self, parcel).await
    }

    /// Whether the policy of a bus names a caller and allows it this: then it needs no policy of its own.
    pub fn policy_names(&self, bus: &str, action: &str, caller: &Caller, keys: &Keys) -> bool {
        if !bus.contains(":event-bus/") {
            return false;
        }
        let Ok(bus) = BusRef::parse(&Scope::default(), Some(bus)) else { return false };
        let found = self.read(|snapshot| Ok(snapshot.get(&record::BUSES, (&bus.scope, bus.name.as_str()))?));
        found.ok().flatten().is_some_and(|record| access::names(&bus, &record, action, caller, keys))
    }

    /// Forgets every rule: the store was emptied.
    pub fn reset(&self) {
        self.rules.clear();
        self.alarms.clear();
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

    /// A change of a rule, seen by the next event.
    async fn change_rule<T: Send + 'static>(
        &self,
        bus: BusRef,
        rule: String,
        write: impl FnOnce(&mut Tx<'_>, &BusRef, &str) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Error> {
        let (events, changed, name) = (self.clone(), bus.clone(), rule.clone());
        let written = self
            .write(move |tx| {
                let outcome = write(tx, &changed, &name);
                // Transactions are one after the other, so whoever reads the rules next reads these.
                events.rules.forget(&changed);
                outcome
            })
            .await;
        if written.is_err() {
            // What was not committed may have been read meanwhile.
            self.rules.forget(&bus);
        }
        self.store
            .read(|snapshot| scheduled::set_one(self, snapshot, (bus.scope, bus.name, rule)))
            .map_err(|error: store::Error| error::service(error))?;
        written
    }

    fn replay_soon(&self, scope: Scope, name: String) {
        tokio::spawn(archives::run_replay(self.clone(), scope, name));
    }
}
