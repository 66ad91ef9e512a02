//! What is done with queues.

mod create;
mod delete;
mod get_attributes;
mod list;
mod permissions;
mod purge;
mod set_attributes;
mod tags;

pub use create::create;
pub use delete::delete;
pub use get_attributes::get_attributes;
pub use list::{get_url, list, list_dead_letter_sources};
pub use permissions::{add_permission, remove_permission};
pub use purge::purge;
pub use set_attributes::set_attributes;
pub use tags::{list_tags, tag, untag};

use std::sync::Arc;

use domain::{Scope, Timestamp};
use wire::Error;

use crate::Sqs;
use crate::attributes::Redrive;
use crate::error::{Refusal, invalid_value, queue_does_not_exist};
use crate::queue::Queue;
use crate::record::{QUEUES, QueueRecord};

impl Sqs {
    /// Changes a queue's record, durably, and puts the change into effect.
    pub(crate) async fn change(
        &self,
        queue: &Arc<Queue>,
        change: impl FnOnce(&mut QueueRecord) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (id, address) = (queue.id, queue.address.clone());
        let record = self
            .write(move |tx| {
                let key = (&address.scope, address.name.as_str());
                let record = tx.get(&QUEUES, key)?.filter(|record| record.id == id);
                let mut record = record.ok_or_else(queue_does_not_exist)?;
                change(&mut record).map_err(Refusal::from)?;
                record.revision += 1;
                tx.put(&QUEUES, key, &record)?;
                Ok(record)
            })
            .await?;
        queue.update(record);
        Ok(())
    }

    /// Whether messages of a queue may go where its redrive policy says.
    fn check_redrive(
        &self,
        scope: &Scope,
        fifo: bool,
        arn: &str,
        policy: Option<&String>,
    ) -> Result<(), Error> {
        let Some(text) = policy.filter(|text| !text.is_empty()) else { return Ok(()) };
        let redrive = Redrive::parse(text)?;
        let invalid = |reason: &str| invalid_value(text, "RedrivePolicy", reason);
        if redrive.target.scope != *scope {
            return Err(invalid("Dead-letter target owner should be same as the source."));
        }
        let target = self.queues.find(&redrive.target);
        let target = target.ok_or_else(|| invalid("Dead letter target does not exist."))?;
        if target.fifo != fifo {
            return Err(invalid("Dead-letter queue must be same type of queue as the source."));
        }
        if !target.current().settings.allow.permits(arn) {
            return Err(invalid(
                "The dead-letter queue's RedriveAllowPolicy does not permit this source queue.",
            ));
        }
        Ok(())
    }

    /// In whole seconds, as queues' timestamps are shown.
    fn now_seconds(&self) -> Timestamp {
        let now = self.now();
        Timestamp(now.0 - now.0.rem_euclid(1_000))
    }
}
