//! `SetSubscriptionAttributes`, and what may be set.

use std::collections::BTreeMap;

use serde::Deserialize;
use wire::{Context, Error, Unit};

use crate::arn::{FIFO_SUFFIX, SubscriptionArn};
use crate::error::{Refusal, invalid, not_supported, subscription_not_found};
use crate::record::{Protocol, SUBSCRIPTIONS, SubscriptionAttributes};
use crate::{Sns, access, delivery_policy, filter, shapes};

/// Sets one attribute of a subscription.
pub(crate) async fn set_attributes(
    sns: Sns,
    cx: Context,
    input: shapes::SetSubscriptionAttributesInput,
) -> Result<Unit, Error> {
    let arn = SubscriptionArn::parse(&input.subscription_arn)?;
    let now = sns.now();
    sns.write(move |tx| {
        let mut record = tx
            .get(&SUBSCRIPTIONS, arn.key())?
            .filter(|record| !record.has_lapsed(now))
            .ok_or_else(subscription_not_found)?;
        access::check_owner(&cx, &record.owner, "sns:SetSubscriptionAttributes", &arn.topic)?;
        let value = input.attribute_value.unwrap_or_default();
        apply(&mut record.attributes, record.protocol, &input.attribute_name, &value)?;
        check(&record.attributes, arn.topic.is_fifo())?;
        tx.put(&SUBSCRIPTIONS, arn.key(), &record)?;
        Ok::<_, Refusal>(())
    })
    .await?;
    Ok(Unit::default())
}

/// The attributes of a subscription in the making.
pub(super) fn of_new(
    given: Option<BTreeMap<String, String>>,
    protocol: Protocol,
    topic_is_fifo: bool,
) -> Result<SubscriptionAttributes, Error> {
    let mut attributes = SubscriptionAttributes::default();
    for (name, value) in given.unwrap_or_default() {
        apply(&mut attributes, protocol, &name, &value)?;
    }
    check(&attributes, topic_is_fifo)?;
    Ok(attributes)
}

fn apply(
    attributes: &mut SubscriptionAttributes,
    protocol: Protocol,
    name: &str,
    value: &str,
) -> Result<(), Error> {
    let some = || (!value.is_empty()).then(|| value.to_owned());
    match name {
        "RawMessageDelivery" => {
            let raw = match value {
                _ if value.eq_ignore_ascii_case("true") => true,
                _ if value.eq_ignore_ascii_case("false") => false,
                _ => {
                    return Err(invalid(
                        "Attributes Reason: RawMessageDelivery: Invalid value [".to_owned()
                            + value
                            + "]. Must be true or false.",
                    ));
                }
            };
            if raw && !matches!(protocol, Protocol::Sqs | Protocol::Http | Protocol::Https) {
                return Err(invalid(format_args!(
                    "Attributes Reason: RawMessageDelivery: Raw message delivery is not supported for {} endpoints",
                    protocol.name()
                )));
            }
            attributes.raw = raw;
        }
        // An empty policy and one without keys both let everything through.
        "FilterPolicy" => attributes.filter_policy = some().filter(|policy| policy.trim() != "{}"),
        "FilterPolicyScope" => {
            attributes.filter_body = match value {
                "MessageAttributes" => false,
                "MessageBody" => true,
                _ => {
                    return Err(invalid(format_args!(
                        "FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
                    )));
                }
            };
        }
        "RedrivePolicy" => {
            if let Some(policy) = some() {
                dead_letter_queue(&policy)?;
            }
            attributes.redrive_policy = some();
        }
        "DeliveryPolicy" => {
            if let Some(policy) = some() {
                if !matches!(protocol, Protocol::Http | Protocol::Https) {
                    return Err(invalid(format_args!(
                        "Attributes Reason: DeliveryPolicy is not supported for {} endpoints",
                        protocol.name()
                    )));
                }
                delivery_policy::Document::parse(&policy)?;
            }
            attributes.delivery_policy = some();
        }
        "ReplayPolicy" if value.is_empty() => {}
        "ReplayPolicy" => return Err(not_supported("replays of archived messages (ReplayPolicy)")),
        "SubscriptionRoleArn" if value.is_empty() => {}
        "SubscriptionRoleArn" => return Err(not_supported("Firehose subscriptions (SubscriptionRoleArn)")),
        _ => return Err(invalid("AttributeName")),
    }
    Ok(())
}

/// What must hold of attributes together.
fn check(attributes: &SubscriptionAttributes, topic_is_fifo: bool) -> Result<(), Error> {
    if let Some(policy) = &attributes.filter_policy {
        filter::parse(policy, attributes.filter_body)?;
    }
    let queue = attributes.redrive_policy.as_deref().map(dead_letter_queue).transpose()?;
    match queue {
        Some(queue) if queue.ends_with(FIFO_SUFFIX) != topic_is_fifo && !topic_is_fifo => Err(invalid(
            "RedrivePolicy: must use a standard queue as DLQ for a subscription to a standard topic",
        )),
        _ => Ok(()),
    }
}

/// The queue that takes what could not be delivered.
pub(crate) fn dead_letter_queue(policy: &str) -> Result<String, Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Redrive {
        dead_letter_target_arn: String,
    }
    let parsed: Redrive = serde_json::from_str(policy).map_err(|_| {
        invalid("RedrivePolicy: failed to parse JSON. Unexpected character or missing deadLetterTargetArn")
    })?;
    let arn = parsed.dead_letter_target_arn;
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "sqs", _, _, name] if partition.starts_with("aws") && !name.is_empty() => Ok(arn),
        _ => Err(invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(protocol: Protocol, name: &str, value: &str) -> Result<SubscriptionAttributes, String> {
        let given = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        of_new(Some(given), protocol, false).map_err(|error| error.message)
    }

    #[test]
    fn each_attribute_is_kept_or_refused() {
        assert!(one(Protocol::Sqs, "RawMessageDelivery", "true").unwrap().raw);
        assert!(
            one(Protocol::Lambda, "RawMessageDelivery", "true")
                .unwrap_err()
                .contains("not supported for lambda")
        );
        assert!(one(Protocol::Sqs, "RawMessageDelivery", "yes").is_err());
        assert!(one(Protocol::Sqs, "FilterPolicyScope", "MessageBody").unwrap().filter_body);
        assert_eq!(one(Protocol::Sqs, "FilterPolicy", "{}").unwrap().filter_policy, None);
        assert!(one(Protocol::Sqs, "FilterPolicy", "{").is_err());
        assert!(one(Protocol::Sqs, "DeliveryPolicy", "{}").is_err());
        assert!(one(Protocol::Http, "DeliveryPolicy", "{}").is_ok());
        assert_eq!(one(Protocol::Sqs, "Nonsense", "x").unwrap_err(), "Invalid parameter: AttributeName");
        assert!(one(Protocol::Sqs, "ReplayPolicy", "{}").unwrap_err().contains("does not support"));
    }

    #[test]
    fn a_dead_letter_queue_is_a_queue() {
        let policy = |arn: &str| format!(r#"{{"deadLetterTargetArn":"{arn}"}}"#);
        let queue = "arn:aws:sqs:us-east-1:000000000000:dead";
        assert_eq!(dead_letter_queue(&policy(queue)).unwrap(), queue);
        for wrong in [policy("arn:aws:sns:us-east-1:000000000000:t"), "{}".to_owned(), "x".to_owned()] {
            assert!(dead_letter_queue(&wrong).is_err(), "{wrong}");
        }
        assert!(
            one(Protocol::Sqs, "RedrivePolicy", &policy("arn:aws:sqs:us-east-1:000000000000:q.fifo"))
                .is_err()
        );
    }
}
