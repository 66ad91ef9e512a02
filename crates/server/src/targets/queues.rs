//! Queues as a target: whose message it is, and whether the queue takes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deliveries::{Answer, Attribute, Message, Parcel, Sender};
use iam::Iam;
use sqs::{Content, Sqs};

use super::roles::{RoleMay, is_denied, session_name};

/// Delivers to queues. A cheap handle.
#[derive(Clone)]
pub struct Queues {
    pub sqs: Sqs,
    pub iam: Iam,
    pub role_may: RoleMay,
}

impl Queues {
    /// Puts a delivery into a queue.
    pub async fn put(&self, parcel: Parcel) -> Answer {
        if self.sqs.queue(&parcel.target).is_none() {
            return Answer::failed("there is no such queue").coded("NO_RESOURCE");
        }
        if !self.may(&parcel) {
            return Answer::failed("the sender may not send to this queue").coded("NO_PERMISSIONS");
        }
        let message: Message = match parcel.details() {
            Ok(message) => message,
            Err(why) => return Answer::failed(why),
        };
        let Ok(body) = String::from_utf8(parcel.payload.to_vec()) else {
            return Answer::failed("the message is no text");
        };
        let attributes = message.attributes.into_iter().map(|(name, attribute)| (name, of_queue(attribute)));
        let delivery = sqs::Delivery {
            body,
            attributes: attributes.collect(),
            trace: message.trace_header,
            group: message.group_id,
            deduplication: message.deduplication_id,
            sender: self.sender_id(&parcel.sender),
        };
        match self.sqs.deliver(&parcel.target, delivery).await {
            Ok(_) => Answer::delivered(),
            Err(error) if error.status(&sqs::shapes::SERVICE) >= 500 => Answer::retry(error.to_string()),
            Err(error) => Answer::failed(error.to_string()).coded("INVALID_PARAMETER"),
        }
    }

    fn may(&self, parcel: &Parcel) -> bool {
        match &parcel.sender {
            Sender::Authorised { .. } => true,
            Sender::Service { principal, source_arn, source_account } => {
                self.sqs.may_send(&parcel.target, principal, source_arn, source_account)
            }
            Sender::Role { .. } => !is_denied(&self.role_may, parcel, "sqs:SendMessage"),
        }
    }

    /// `SenderId`: a service's, or a role's with the name of its session, which is that of the function.
    fn sender_id(&self, sender: &Sender) -> String {
        match sender {
            Sender::Authorised { source_arn } => iam::service_id(&service_of(source_arn)),
            Sender::Service { principal, .. } => iam::service_id(principal),
            Sender::Role { arn, source_arn } => {
                format!("{}:{}", self.iam.role_id(arn), session_name(source_arn))
            }
        }
    }
}

fn of_queue(Attribute { data_type, value }: Attribute) -> sqs::Attribute {
    let content = match STANDARD.decode(&value) {
        Ok(bytes) if data_type.starts_with("Binary") => Content::Binary(bytes),
        _ => Content::Text(value),
    };
    sqs::Attribute { kind: data_type, content }
}

/// The principal of the service whose resource an ARN names.
fn service_of(arn: &str) -> String {
    format!("{}.amazonaws.com", arn.split(':').nth(2).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_its_resource() {
        assert_eq!(service_of("arn:aws:sns:us-east-1:000000000000:t"), "sns.amazonaws.com");
    }
}
