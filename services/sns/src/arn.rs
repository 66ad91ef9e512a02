//! ARNs of topics and subscriptions.

use domain::{Account, Region, Scope};
use uuid::Uuid;
use wire::Error;

use crate::error::invalid;

/// Names a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicArn {
    pub(crate) scope: Scope,
    pub(crate) name: String,
}

/// Names a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionArn {
    pub(crate) topic: TopicArn,
    pub(crate) id: Uuid,
}

impl TopicArn {
    /// Reads `arn:aws:sns:<region>:<account>:<name>`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (topic, rest) = split(text).ok_or_else(|| invalid("TopicArn"))?;
        if rest.is_some() {
            return Err(invalid("TopicArn"));
        }
        Ok(topic)
    }

    pub(crate) fn key(&self) -> (Scope, String) {
        (self.scope.clone(), self.name.clone())
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.name.ends_with(FIFO_SUFFIX)
    }
}

/// What the name of every FIFO topic and queue ends with.
pub(crate) const FIFO_SUFFIX: &str = ".fifo";

impl SubscriptionArn {
    /// Reads a topic's ARN with `:<id>` behind it.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let mistake = || {
            invalid(
                "SubscriptionArn Reason: An ARN must have at least 6 elements, not ".to_owned()
                    + &text.split(':').count().to_string(),
            )
        };
        let (topic, rest) = split(text).ok_or_else(mistake)?;
        let id =
            rest.and_then(|rest| Uuid::try_parse(rest).ok()).ok_or_else(|| invalid("SubscriptionArn"))?;
        Ok(Self { topic, id })
    }

    pub(crate) fn key(&self) -> (Scope, String, Uuid) {
        (self.topic.scope.clone(), self.topic.name.clone(), self.id)
    }
}

fn split(text: &str) -> Option<(TopicArn, Option<&str>)> {
    let mut parts = text.splitn(7, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    if arn != "arn" || !partition.starts_with("aws") || service != "sns" {
        return None;
    }
    let (region, account) = (Region::parse(parts.next()?)?, Account::parse(parts.next()?)?);
    let name = parts.next().filter(|name| !name.is_empty())?;
    Some((TopicArn { scope: Scope { account, region }, name: name.to_owned() }, parts.next()))
}

impl std::fmt::Display for TopicArn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.scope.arn("sns", &self.name))
    }
}

impl std::fmt::Display for SubscriptionArn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.topic, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_read_as_they_are_written() {
        for text in
            ["arn:aws:sns:us-east-1:123456789012:orders", "arn:aws-cn:sns:cn-north-1:000000000000:a.fifo"]
        {
            assert_eq!(TopicArn::parse(text).unwrap().to_string(), text);
        }
        let text = "arn:aws:sns:us-east-1:123456789012:orders:8f1b9e44-2b6e-4fbe-9c35-54b3b8d8a9a1";
        assert_eq!(SubscriptionArn::parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "",
            "orders",
            "arn:aws:sqs:us-east-1:123456789012:q",
            "arn:aws:sns:us-east-1:1:t",
            "arn:aws:sns:r:123456789012:",
        ] {
            assert!(TopicArn::parse(wrong).is_err(), "{wrong}");
        }
        assert!(TopicArn::parse("arn:aws:sns:us-east-1:123456789012:orders:more").is_err());
        assert!(SubscriptionArn::parse("arn:aws:sns:us-east-1:123456789012:orders:no-id").is_err());
        assert!(SubscriptionArn::parse("PendingConfirmation").is_err());
    }
}
