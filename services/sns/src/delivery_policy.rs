//! Delivery policies: how often, and how soon, a message is tried again at an HTTP endpoint.
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use wire::Error;

use crate::error::invalid;

/// A delivery policy as it is sent: of a topic with `http` around it, of a subscription without.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Document {
    http: Option<OfTopic>,
    healthy_retry_policy: Option<Retry>,
    sicklier_retry_policy: Option<Value>,
    throttle_policy: Option<Throttle>,
    request_policy: Option<Request>,
    guaranteed: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OfTopic {
    default_healthy_retry_policy: Option<Retry>,
    disable_subscription_overrides: Option<bool>,
    default_throttle_policy: Option<Throttle>,
    default_request_policy: Option<Request>,
}

/// When a failed message is tried again. Delays are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct Retry {
    min_delay_target: u32,
    max_delay_target: u32,
    num_retries: u32,
    num_no_delay_retries: u32,
    num_min_delay_retries: u32,
    num_max_delay_retries: u32,
    backoff_function: Backoff,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Backoff {
    Linear,
    Arithmetic,
    Geometric,
    Exponential,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Throttle {
    max_receives_per_second: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Request {
    header_content_type: Option<String>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            min_delay_target: 20,
            max_delay_target: 20,
            num_retries: 3,
            num_no_delay_retries: 0,
            num_min_delay_retries: 0,
            num_max_delay_retries: 0,
            backoff_function: Backoff::Linear,
        }
    }
}

/// What holds for one subscription.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Effective {
    pub(crate) retry: Retry,
    pub(crate) max_receives_per_second: Option<u32>,
    pub(crate) content_type: Option<String>,
}

impl Document {
    /// Reads and checks one.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let document: Self =
            serde_json::from_str(text).map_err(|error| invalid(format_args!("DeliveryPolicy: {error}")))?;
        for retry in [
            document.http.as_ref().and_then(|http| http.default_healthy_retry_policy),
            document.healthy_retry_policy,
        ]
        .into_iter()
        .flatten()
        {
            retry.check()?;
        }
        // They show in every effective policy, as nothing.
        if document.sicklier_retry_policy.as_ref().is_some_and(|policy| !policy.is_null())
            || document.guaranteed == Some(true)
        {
            return Err(invalid("DeliveryPolicy: sicklierRetryPolicy and guaranteed cannot be set"));
        }
        let throttles =
            [document.throttle_policy, document.http.as_ref().and_then(|http| http.default_throttle_policy)];
        if throttles.into_iter().flatten().any(|throttle| throttle.max_receives_per_second == Some(0)) {
            return Err(invalid(
                "DeliveryPolicy: throttlePolicy.maxReceivesPerSecond must be greater than or equal to 1",
            ));
        }
        Ok(document)
    }

    /// What holds for a subscription: its own policy over its topic's, unless that forbids it, over AWS's.
    pub(crate) fn effective(topic: Option<&str>, subscription: Option<&str>) -> Effective {
        // Both were checked before they were stored.
        let of_topic =
            topic.and_then(|text| Self::parse(text).ok()).and_then(|policy| policy.http).unwrap_or_default();
        let overrides = of_topic.disable_subscription_overrides != Some(true);
        let own =
            subscription.filter(|_| overrides).and_then(|text| Self::parse(text).ok()).unwrap_or_default();
        let throttle = own.throttle_policy.or(of_topic.default_throttle_policy);
        let request = own.request_policy.or(of_topic.default_request_policy);
        Effective {
            retry: own.healthy_retry_policy.or(of_topic.default_healthy_retry_policy).unwrap_or_default(),
            max_receives_per_second: throttle.and_then(|throttle| throttle.max_receives_per_second),
            content_type: request.and_then(|request| request.header_content_type),
        }
    }
}

impl Retry {
    /// How messages are tried again at queues and functions: over 23 days.
    pub(crate) const OF_AWS_ENDPOINTS: Self = Self {
        min_delay_target: 1,
        max_delay_target: 20,
        num_retries: 100_015,
        num_no_delay_retries: 3,
        num_min_delay_retries: 2,
        num_max_delay_retries: 100_000,
        backoff_function: Backoff::Exponential,
    };

    fn check(&self) -> Result<(), Error> {
        /// An hour.
        const DELAY_MAX: u32 = 3_600;
        const RETRIES_MAX: u32 = 100;
        let wrong = |what: &str| Err(invalid(format_args!("DeliveryPolicy: healthyRetryPolicy.{what}")));
        if self.min_delay_target < 1 || self.min_delay_target > self.max_delay_target {
            return wrong("minDelayTarget must be less than or equal to maxDelayTarget");
        }
        if self.max_delay_target > DELAY_MAX {
            return wrong("maxDelayTarget must be less than or equal to 3600");
        }
        if self.num_retries > RETRIES_MAX {
            return wrong("numRetries must be less than or equal to 100");
        }
        if self.num_no_delay_retries + self.num_min_delay_retries + self.num_max_delay_retries
            > self.num_retries
        {
            return wrong(
                "numRetries must be greater than or equal to total of numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries",
            );
        }
        Ok(())
    }

    /// How long to wait after so many failed attempts; none when it is time to give up.
    pub(crate) fn delay(&self, failed: u32) -> Option<Duration> {
        let retry = failed.checked_sub(1).filter(|retry| *retry < self.num_retries)?;
        let (no_delay, min_delay) = (self.num_no_delay_retries, self.num_min_delay_retries);
        let backoff = self.num_retries - no_delay - min_delay - self.num_max_delay_retries;
        let seconds = if retry < no_delay {
            0.0
        } else if retry < no_delay + min_delay {
            f64::from(self.min_delay_target)
        } else if retry < no_delay + min_delay + backoff {
            self.between(retry - no_delay - min_delay, backoff)
        } else {
            f64::from(self.max_delay_target)
        };
        Some(Duration::from_secs_f64(seconds))
    }

    /// The delay of one of the retries between the least and the greatest.
    fn between(&self, index: u32, count: u32) -> f64 {
        let (min, max) = (f64::from(self.min_delay_target), f64::from(self.max_delay_target));
        // From 0 at the first of them to 1 at the last.
        let way = if count > 1 { f64::from(index) / f64::from(count - 1) } else { 1.0 };
        match self.backoff_function {
            Backoff::Linear => min + (max - min) * way,
            Backoff::Arithmetic => {
                let (index, count) = (f64::from(index), f64::from(count));
                let sum = |n: f64| n * (n + 1.0) / 2.0;
                let last = sum(count - 1.0);
                if last > 0.0 { min + (max - min) * sum(index) / last } else { max }
            }
            Backoff::Geometric => min * (max / min).powf(way),
            Backoff::Exponential => {
                (min * 2f64.powi(i32::try_from(index).unwrap_or(i32::MAX).min(30))).min(max)
            }
        }
    }
}

/// `EffectiveDeliveryPolicy` of a topic.
pub(crate) fn effective_of_topic(policy: Option<&str>) -> String {
    let mut shown = json!({ "http": {
        "defaultHealthyRetryPolicy": shown_retry(&Document::effective(policy, None).retry),
        "disableSubscriptionOverrides": false,
        "defaultRequestPolicy": { "headerContentType": "text/plain; charset=UTF-8" },
    }});
    if let Some(Ok(given)) = policy.map(serde_json::from_str::<Value>) {
        merge(&mut shown, given);
    }
    shown.to_string()
}

/// `EffectiveDeliveryPolicy` of a subscription.
pub(crate) fn effective_of_subscription(topic: Option<&str>, own: Option<&str>) -> String {
    let effective = Document::effective(topic, own);
    let mut shown = json!({
        "healthyRetryPolicy": shown_retry(&effective.retry),
        "sicklierRetryPolicy": null,
        "throttlePolicy": null,
        "requestPolicy": null,
        "guaranteed": false,
    });
    if let Some(rate) = effective.max_receives_per_second {
        shown["throttlePolicy"] = json!({ "maxReceivesPerSecond": rate });
    }
    if let Some(content_type) = effective.content_type {
        shown["requestPolicy"] = json!({ "headerContentType": content_type });
    }
    shown.to_string()
}

fn shown_retry(retry: &Retry) -> Value {
    json!({
        "minDelayTarget": retry.min_delay_target,
        "maxDelayTarget": retry.max_delay_target,
        "numRetries": retry.num_retries,
        "numMaxDelayRetries": retry.num_max_delay_retries,
        "numNoDelayRetries": retry.num_no_delay_retries,
        "numMinDelayRetries": retry.num_min_delay_retries,
        "backoffFunction": match retry.backoff_function {
            Backoff::Linear => "linear",
            Backoff::Arithmetic => "arithmetic",
            Backoff::Geometric => "geometric",
            Backoff::Exponential => "exponential",
        },
    })
}

fn merge(into: &mut Value, given: Value) {
    match (into, given) {
        (Value::Object(into), Value::Object(given)) => {
            for (name, value) in given {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, given) => *into = given,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(policy: &str) -> Vec<u64> {
        let text = format!(r#"{{"healthyRetryPolicy":{policy}}}"#);
        Document::parse(&text).unwrap();
        let retry = Document::effective(None, Some(&text)).retry;
        (1..).map_while(|failed| retry.delay(failed)).map(|delay| delay.as_secs()).collect()
    }

    #[test]
    fn three_retries_twenty_seconds_apart_unless_told_otherwise() {
        assert_eq!(schedule("{}"), [20, 20, 20]);
    }

    #[test]
    fn phases_follow_one_another() {
        let policy = r#"{"minDelayTarget":1,"maxDelayTarget":60,"numRetries":10,"numNoDelayRetries":2,
            "numMinDelayRetries":2,"numMaxDelayRetries":2,"backoffFunction":"linear"}"#;
        assert_eq!(schedule(policy), [0, 0, 1, 1, 1, 20, 40, 60, 60, 60]);
        let exponential = policy.replace("linear", "exponential");
        assert_eq!(schedule(&exponential), [0, 0, 1, 1, 1, 2, 4, 8, 60, 60]);
    }

    #[test]
    fn functions_and_queues_are_tried_for_twenty_three_days() {
        let delays = (1..).map_while(|failed| Retry::OF_AWS_ENDPOINTS.delay(failed));
        let (count, total) =
            delays.fold((0, Duration::ZERO), |(count, total), delay| (count + 1, total + delay));
        assert_eq!((count, total.as_secs() / 86_400), (100_015, 23));
    }

    #[test]
    fn a_topic_may_forbid_subscriptions_their_own() {
        let topic =
            r#"{"http":{"disableSubscriptionOverrides":true,"defaultHealthyRetryPolicy":{"numRetries":1}}}"#;
        let own = r#"{"healthyRetryPolicy":{"numRetries":9}}"#;
        assert_eq!(Document::effective(Some(topic), Some(own)).retry.num_retries, 1);
        assert_eq!(Document::effective(None, Some(own)).retry.num_retries, 9);
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in [
            "",
            "[]",
            r#"{"unknown":1}"#,
            r#"{"healthyRetryPolicy":{"numRetries":101}}"#,
            r#"{"healthyRetryPolicy":{"minDelayTarget":30}}"#,
            r#"{"healthyRetryPolicy":{"numNoDelayRetries":4}}"#,
            r#"{"throttlePolicy":{"maxReceivesPerSecond":0}}"#,
        ] {
            assert!(Document::parse(wrong).is_err(), "{wrong}");
        }
    }
}
