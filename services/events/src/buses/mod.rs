//! Event buses.

mod create;
mod delete;
mod describe;
mod list;
mod permissions;
mod update;

use domain::Timestamp;
use store::Snapshot;
use wire::Error;

use crate::arn::BusRef;
use crate::error::{Refusal, no_bus};
use crate::record::{BUSES, BusRecord, DEFAULT_BUS};

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use describe::describe;
pub(crate) use list::list;
pub(crate) use permissions::{put as put_permission, remove as remove_permission};
pub(crate) use update::update;

/// A bus that is there. The default one is, even if nothing was ever stored of it.
pub(crate) fn find(snapshot: &Snapshot<'_>, bus: &BusRef) -> Result<Option<BusRecord>, store::Error> {
    let found = snapshot.get(&BUSES, (&bus.scope, bus.name.as_str()))?;
    Ok(found.or_else(|| {
        let default = BusRecord { created: Timestamp(0), ..BusRecord::default() };
        (bus.name == DEFAULT_BUS).then_some(default)
    }))
}

/// A bus that must be there.
pub(crate) fn expect(snapshot: &Snapshot<'_>, bus: &BusRef) -> Result<BusRecord, Refusal> {
    find(snapshot, bus)?.ok_or_else(|| Refusal::from(no_bus(&bus.name)))
}

/// What Hearth has no use for, and so must not seem to have.
fn refuse_unsupported(
    key: Option<&str>,
    dead_letters: Option<&crate::shapes::DeadLetterConfig>,
    logs: Option<&crate::shapes::LogConfig>,
) -> Result<(), Error> {
    if key.is_some_and(|key| !key.is_empty()) {
        return Err(crate::error::not_supported("encryption with a KMS key (KmsKeyIdentifier)"));
    }
    if dead_letters.is_some_and(|config| config.arn.is_some()) {
        return Err(crate::error::not_supported("dead-letter queues of event buses (DeadLetterConfig)"));
    }
    if logs.is_some_and(|logs| logs.level.as_ref().is_some_and(|level| *level != crate::shapes::Level::Off)) {
        return Err(crate::error::not_supported("logs of event buses (LogConfig)"));
    }
    Ok(())
}
