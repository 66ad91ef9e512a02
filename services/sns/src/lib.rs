//! Amazon SNS: topics, subscriptions, and messages to queues, functions and web servers.
//!
//! [`service`] is the index of what is implemented. A published message becomes one delivery for each subscription that
//! wants it, in the transaction that accepts it; what cannot be delivered is tried again by the subscription's policy and
//! ends in its dead-letter queue.

mod access;
mod arn;
mod deliver;
mod delivery_policy;
mod error;
mod filter;
mod limits;
mod links;
mod outbox;
mod page;
mod parcel;
mod publish;
mod record;
pub mod shapes;
mod sms;
mod subscriptions;
mod tags;
mod topics;

use std::sync::Arc;

use clock::Time;
use deliveries::Deliveries;
use domain::{Clock as _, Timestamp};
use policy::{Caller, Context as Keys};
use store::{Domain, Snapshot, Store, Tx};
use wire::Error;

use crate::arn::TopicArn;
pub use crate::deliver::{IN_ORDER, MayInvoke, QueueAttribute, QueueMessage, SendError, ToQueue};
use crate::error::Refusal;
pub use crate::links::Page;
use crate::parcel::Parcel;
use crate::record::TOPICS;

/// The table: one line per operation.
pub fn service(sns: Sns) -> wire::Service {
    wire::Service::new(&shapes::SERVICE, sns)
        .on::<shapes::CreateTopic>(topics::create)
        .on::<shapes::DeleteTopic>(topics::delete)
        .on::<shapes::ListTopics>(topics::list)
        .on::<shapes::GetTopicAttributes>(topics::get_attributes)
        .on::<shapes::SetTopicAttributes>(topics::set_attributes)
        .on::<shapes::AddPermission>(topics::add_permission)
        .on::<shapes::RemovePermission>(topics::remove_permission)
        .on::<shapes::Subscribe>(subscriptions::subscribe)
        .on::<shapes::ConfirmSubscription>(subscriptions::confirm)
        .on::<shapes::Unsubscribe>(subscriptions::unsubscribe)
        .on::<shapes::ListSubscriptions>(subscriptions::list)
        .on::<shapes::ListSubscriptionsByTopic>(subscriptions::list_by_topic)
        .on::<shapes::GetSubscriptionAttributes>(subscriptions::get_attributes)
        .on::<shapes::SetSubscriptionAttributes>(subscriptions::set_attributes)
        .on::<shapes::Publish>(publish::publish)
        .on::<shapes::PublishBatch>(publish::publish_batch)
        .on::<shapes::TagResource>(tags::tag)
        .on::<shapes::UntagResource>(tags::untag)
        .on::<shapes::ListTagsForResource>(tags::list)
        .on::<shapes::GetSMSAttributes>(sms::get_attributes)
        .on::<shapes::SetSMSAttributes>(sms::set_attributes)
        .on::<shapes::CheckIfPhoneNumberIsOptedOut>(sms::is_opted_out)
        .on::<shapes::ListPhoneNumbersOptedOut>(sms::list_opted_out)
        .on::<shapes::OptInPhoneNumber>(sms::opt_in)
        .build()
}

/// What the service needs of the rest of Hearth.
pub struct Options {
    /// Where records are kept.
    pub store: Store,
    /// The time of day.
    pub time: Time,
    /// `http://<host>:<port>`, for links in messages.
    pub base_url: Arc<str>,
    /// What delivers messages.
    pub deliveries: Deliveries,
    /// How a message gets into a queue.
    pub to_queue: ToQueue,
    /// Whether a function may be invoked for a topic.
    pub may_invoke: MayInvoke,
}

/// The service's state. A cheap handle.
#[derive(Clone)]
pub struct Sns(Arc<Inner>);

/// What every handler sees of [`Sns`].
pub struct Inner {
    options: Options,
    outbox: outbox::Outbox,
    signer: publish::SignerCell,
    web: deliver::Web,
}

impl std::ops::Deref for Sns {
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

impl Sns {
    /// The service. What a previous run left undelivered the pipeline takes up.
    pub fn start(options: Options) -> Self {
        let outbox = outbox::Outbox::new(options.store.clone(), options.time.clone());
        Self(Arc::new(Inner {
            outbox,
            signer: publish::SignerCell::default(),
            web: deliver::Web::new(),
            options,
        }))
    }

    /// Whether a service may publish to a topic for one of its resources; nothing if there is no such topic.
    pub fn may_publish(
        &self,
        topic: &str,
        service: &str,
        source_arn: &str,
        source_account: &str,
    ) -> Option<bool> {
        let arn = TopicArn::parse(topic).ok()?;
        let topic = self.read(|snapshot| Ok(snapshot.get(&TOPICS, arn.key())?)).ok()??;
        let may = access::check_service(service, source_arn, source_account, &arn, &topic, "sns:Publish");
        Some(may.is_ok())
    }

    /// Whether the policy that a topic was given names a caller and allows it this: then it needs no policy of its own.
    pub fn policy_names(&self, topic: &str, action: &str, caller: &Caller, keys: &Keys) -> bool {
        let Ok(arn) = TopicArn::parse(topic) else { return false };
        let Ok(Some(topic)) = self.read(|snapshot| Ok(snapshot.get(&TOPICS, arn.key())?)) else {
            return false;
        };
        access::names(&arn, &topic, action, caller, keys)
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

    /// Accepts a parcel for delivery, in the transaction of its cause.
    fn send(&self, tx: &mut Tx<'_>, parcel: &Parcel) -> Result<(), Refusal> {
        deliver::accept(self, tx, parcel)
    }

    /// One attempt of the pipeline: to deliver to a subscription, or to publish to a topic.
    pub async fn attempt(&self, parcel: deliveries::Parcel) -> deliveries::Answer {
        // A subscription's ARN has a part more than a topic's.
        const TOPIC_PARTS: usize = 6;
        if parcel.target.starts_with(IN_ORDER) || parcel.target.split(':').count() > TOPIC_PARTS {
            return deliver::attempt(self, parcel).await;
        }
        publish::publish_delivery(self, parcel).await
    }

    async fn signer(&self) -> Result<publish::Signer, SendError> {
        self.signer.get(&self.store).await.map_err(SendError::Temporary)
    }
}
