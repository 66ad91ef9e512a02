//! `Subscribe`

use store::Scan;
use uuid::Uuid;
use wire::{Context, Error};

use super::attributes;
use crate::arn::{FIFO_SUFFIX, SubscriptionArn, TopicArn};
use crate::error::{Refusal, invalid, not_supported, topic_not_found};
use crate::limits::{FIFO_SUBSCRIPTIONS, MESSAGE_BYTES_DEFAULT};
use crate::record::{
    Pending, Protocol, SUBSCRIPTIONS, SubscriptionRecord, TOPICS, TopicRecord, subscriptions_of,
};
use crate::{Sns, access, publish, shapes};

/// What stands in the place of an ARN until the endpoint has agreed.
pub(crate) const PENDING_CONFIRMATION: &str = "pending confirmation";

/// Subscribes an endpoint. Queues and functions of ours agree by being asked; others are sent a token.
pub(crate) async fn subscribe(
    sns: Sns,
    cx: Context,
    input: shapes::SubscribeInput,
) -> Result<shapes::SubscribeResponse, Error> {
    let topic_arn = TopicArn::parse(&input.topic_arn)?;
    let protocol = protocol(&input.protocol)?;
    let endpoint =
        input.endpoint.filter(|endpoint| !endpoint.is_empty()).ok_or_else(|| invalid("Endpoint"))?;
    check_endpoint(protocol, &endpoint, &topic_arn)?;
    let attributes = attributes::of_new(input.attributes, protocol, topic_arn.is_fifo())?;
    let now = sns.now();
    let owner = cx.principal.account().to_string();
    let pending = (protocol.asks_first()).then(|| Pending {
        token: format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
        since: now,
    });
    let record = SubscriptionRecord {
        confirmed_by_owner: pending.is_none() && owner == topic_arn.scope.account.as_str(),
        authenticate_on_unsubscribe: false,
        owner,
        protocol,
        endpoint,
        pending,
        confirmed_with: None,
        attributes,
    };
    let sender = sns.clone();
    let arn = sns
        .write(move |tx| {
            let topic = tx.get(&TOPICS, topic_arn.key())?.ok_or_else(topic_not_found)?;
            access::check(&cx, &topic_arn, &topic, "sns:Subscribe")?;
            let there = subscriptions_of(tx, &topic_arn, now)?;
            let same = there
                .iter()
                .find(|(_, other)| other.protocol == record.protocol && other.endpoint == record.endpoint);
            if let Some((id, same)) = same
                && same.pending.is_none()
            {
                if same.attributes != record.attributes {
                    return Err(invalid(
                        "Attributes Reason: Subscription already exists with different attributes",
                    )
                    .into());
                }
                return Ok((SubscriptionArn { topic: topic_arn, id: *id }, false));
            }
            check_room(&topic_arn, &topic, protocol, there.len())?;
            // Whoever asks again is sent a new token for the same subscription.
            let id = same.map_or_else(Uuid::new_v4, |(id, _)| *id);
            let arn = SubscriptionArn { topic: topic_arn, id };
            tx.put(&SUBSCRIPTIONS, arn.key(), &record)?;
            if let Some(pending) = &record.pending {
                publish::ask_to_confirm(&sender, tx, &arn, &topic, &record, pending)?;
            }
            Ok::<_, Refusal>((arn, record.pending.is_some()))
        })
        .await?;
    let (arn, is_pending) = arn;
    let hide = is_pending && input.return_subscription_arn != Some(true);
    let shown = if hide { PENDING_CONFIRMATION.to_owned() } else { arn.to_string() };
    Ok(shapes::SubscribeResponse { subscription_arn: Some(shown) })
}

fn protocol(name: &str) -> Result<Protocol, Error> {
    match name {
        "application" => Err(not_supported("mobile push (application endpoints)")),
        "firehose" => Err(not_supported("Firehose subscriptions")),
        _ => Protocol::of_name(name)
            .ok_or_else(|| invalid(format_args!("Does not support this protocol string: {name}"))),
    }
}

fn check_endpoint(protocol: Protocol, endpoint: &str, topic: &TopicArn) -> Result<(), Error> {
    let is_arn_of = |service: &str, resource: &str| {
        let parts: Vec<&str> = endpoint.splitn(6, ':').collect();
        matches!(parts.as_slice(), ["arn", partition, of, _, account, rest]
            if partition.starts_with("aws") && *of == service && account.len() == 12 && rest.starts_with(resource))
    };
    match protocol {
        Protocol::Sqs if !is_arn_of("sqs", "") => Err(invalid("SQS endpoint ARN")),
        Protocol::Sqs if endpoint.ends_with(FIFO_SUFFIX) && !topic.is_fifo() => Err(invalid(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
        )),
        Protocol::Sqs => Ok(()),
        _ if topic.is_fifo() => Err(invalid(
            "Invalid parameter: Endpoint Reason: Please use a SQS queue: FIFO topics deliver to no other endpoints",
        )),
        Protocol::Lambda if !is_arn_of("lambda", "function:") => Err(invalid("Lambda endpoint ARN")),
        Protocol::Http | Protocol::Https => {
            let url: Result<http::Uri, _> = endpoint.parse();
            let fits = url.is_ok_and(|url| url.scheme_str() == Some(protocol.name()) && url.host().is_some());
            if fits { Ok(()) } else { Err(invalid("Endpoint must match the specified protocol")) }
        }
        Protocol::Email | Protocol::EmailJson if !endpoint.contains('@') => Err(invalid("Email address")),
        Protocol::Sms if !is_phone_number(endpoint) => {
            Err(invalid(format_args!("Invalid SMS endpoint: {endpoint}")))
        }
        _ => Ok(()),
    }
}

/// E.164: a plus sign and up to fifteen digits.
pub(crate) fn is_phone_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn check_room(arn: &TopicArn, topic: &TopicRecord, protocol: Protocol, there: usize) -> Result<(), Error> {
    let large = topic.attributes.message_bytes_max() > MESSAGE_BYTES_DEFAULT;
    if large && !matches!(protocol, Protocol::Sqs | Protocol::Lambda) {
        return Err(invalid(format_args!(
            "Protocol Reason: {} endpoints cannot be subscribed to a topic whose MaximumMessageSize is above 256 KiB",
            protocol.name()
        )));
    }
    if (arn.is_fifo() || large) && there >= FIFO_SUBSCRIPTIONS {
        return Err(Error::new(
            "SubscriptionLimitExceeded",
            "The topic has reached its maximum of subscriptions",
        ));
    }
    Ok(())
}

/// Everything an account has: for lists.
pub(super) fn scan_of_account(scope: &domain::Scope) -> Scan<(domain::Scope, String, Uuid)> {
    Scan::prefix((scope,))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(protocol: Protocol, endpoint: &str, topic: &str) -> Result<(), String> {
        let topic = TopicArn::parse(&format!("arn:aws:sns:us-east-1:000000000000:{topic}")).unwrap();
        check_endpoint(protocol, endpoint, &topic).map_err(|error| error.message)
    }

    #[test]
    fn an_endpoint_must_fit_its_protocol() {
        let queue = "arn:aws:sqs:us-east-1:000000000000:q";
        let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
        assert!(check(Protocol::Sqs, queue, "t").is_ok());
        assert!(check(Protocol::Sqs, queue, "t.fifo").is_ok());
        assert!(check(Protocol::Lambda, function, "t").is_ok());
        assert!(check(Protocol::Http, "http://127.0.0.1:8080/hook?x=1", "t").is_ok());
        assert!(check(Protocol::Email, "a@example.com", "t").is_ok());
        assert!(check(Protocol::Sms, "+4915112345678", "t").is_ok());
        assert_eq!(check(Protocol::Sqs, function, "t").unwrap_err(), "Invalid parameter: SQS endpoint ARN");
        assert_eq!(
            check(Protocol::Lambda, queue, "t").unwrap_err(),
            "Invalid parameter: Lambda endpoint ARN"
        );
        assert!(
            check(Protocol::Https, "http://x/", "t")
                .unwrap_err()
                .contains("must match the specified protocol")
        );
        assert!(
            check(Protocol::Sqs, "arn:aws:sqs:us-east-1:000000000000:q.fifo", "t")
                .unwrap_err()
                .contains("FIFO SQS")
        );
        assert!(check(Protocol::Lambda, function, "t.fifo").is_err());
        assert!(check(Protocol::Sms, "abc", "t").is_err());
        assert!(check(Protocol::Email, "nobody", "t").is_err());
    }

    #[test]
    fn what_hearth_has_not_is_said() {
        assert!(protocol("application").unwrap_err().message.contains("mobile push"));
        assert_eq!(
            protocol("pigeon").unwrap_err().message,
            "Invalid parameter: Does not support this protocol string: pigeon"
        );
    }
}
