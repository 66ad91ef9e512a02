//! What deliveries can be made to, and how: here the services meet.

pub mod buckets;
pub mod buses;
pub mod operations;
pub mod queues;
pub mod roles;
pub mod topics;

use std::sync::Arc;

use deliveries::{Answer, Deliveries, Parcel, Sender};
use domain::Scope;
use lambda::Lambda;
use metrics::Metrics;
use sqs::Sqs;

use queues::Queues;
use roles::{RoleMay, is_denied};

/// Deliveries to one queue that are made at once: they share flushes.
const TO_QUEUE_AT_ONCE: usize = 64;

/// Everything that has something delivered or delivers it.
pub struct Targets {
    pub metrics: Metrics,
    pub lambda: Lambda,
    pub queues: Queues,
    pub role_may: RoleMay,
    /// Concurrent executions of an account: no function is offered more at once.
    pub concurrency: u32,
}

/// Says how each kind of target is delivered to.
pub fn register(deliveries: &Deliveries, targets: Targets) {
    let Targets { metrics, lambda, queues, role_may, concurrency } = targets;
    deliveries.on_given_up(move |lost| lambda::measures::given_up(&metrics, lost));
    let at_once = usize::try_from(concurrency).unwrap_or(usize::MAX);
    deliveries.on("lambda", at_once, move |parcel| {
        let (functions, role_may) = (lambda.clone(), Arc::clone(&role_may));
        async move { to_function(&functions, &role_may, parcel).await }
    });
    deliveries.on("sqs", TO_QUEUE_AT_ONCE, move |parcel| {
        let queues = queues.clone();
        async move { queues.put(parcel).await }
    });
}

/// What Lambda must know of a queue before it polls it.
pub fn event_source(sqs: &Sqs) -> lambda::EventSource {
    let queues = sqs.clone();
    Box::new(move |_: &Scope, arn: &str| {
        let queue = queues.queue(arn).ok_or(lambda::EventSourceError::NotFound)?;
        let seconds = queue.visibility_timeout().as_secs();
        Ok(lambda::QueueFacts { visibility_timeout_seconds: u32::try_from(seconds).unwrap_or(u32::MAX) })
    })
}

/// Runs a function with a delivery.
async fn to_function(functions: &Lambda, role_may: &RoleMay, parcel: Parcel) -> Answer {
    let may = match &parcel.sender {
        Sender::Authorised { .. } => true,
        Sender::Service { principal, source_arn, source_account } => {
            functions.may_invoke(&parcel.target, principal, source_arn, source_account)
        }
        Sender::Role { .. } => !is_denied(role_may, &parcel, "lambda:InvokeFunction"),
    };
    if !may && !functions.has(&parcel.target) {
        return Answer::failed("there is no such function").coded("NO_RESOURCE");
    }
    if !may {
        return Answer::failed("the sender may not invoke this function").coded("NO_PERMISSIONS");
    }
    functions.attempt(parcel).await
}
