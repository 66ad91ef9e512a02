//! Which targets of a configuration want to know of an event.

use s3s::dto::{Event, NotificationConfiguration, NotificationConfigurationFilter};

/// Somebody who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'c> {
    pub(super) id: &'c str,
    pub(super) arn: &'c str,
}

/// One configuration, whatever its kind.
#[derive(Clone, Copy)]
pub(super) struct Entry<'c> {
    pub(super) id: Option<&'c str>,
    pub(super) arn: &'c str,
    /// What the ARN's service must be.
    pub(super) service: &'static str,
    pub(super) events: &'c [Event],
    pub(super) filter: Option<&'c NotificationConfigurationFilter>,
}

/// All of a configuration's.
pub(super) fn entries(configured: &NotificationConfiguration) -> Vec<Entry<'_>> {
    let topics = configured.topic_configurations.iter().flatten().map(|one| Entry {
        id: one.id.as_deref(),
        arn: &one.topic_arn,
        service: "sns",
        events: &one.events,
        filter: one.filter.as_ref(),
    });
    let queues = configured.queue_configurations.iter().flatten().map(|one| Entry {
        id: one.id.as_deref(),
        arn: &one.queue_arn,
        service: "sqs",
        events: &one.events,
        filter: one.filter.as_ref(),
    });
    let functions = configured.lambda_function_configurations.iter().flatten().map(|one| Entry {
        id: one.id.as_deref(),
        arn: &one.lambda_function_arn,
        service: "lambda",
        events: &one.events,
        filter: one.filter.as_ref(),
    });
    topics.chain(queues).chain(functions).collect()
}

/// Who wants to know that something of this name, without `s3:`, happened to a key.
pub(super) fn targets<'c>(
    configured: &'c NotificationConfiguration,
    name: &str,
    key: &str,
) -> Vec<Target<'c>> {
    let wanted = |entry: &Entry<'_>| {
        let (prefix, suffix) = bounds(entry.filter);
        entry.events.iter().any(|event| covers(event.as_ref(), name))
            && key.starts_with(prefix)
            && key.ends_with(suffix)
    };
    let wanting = entries(configured).into_iter().filter(wanted);
    wanting.map(|entry| Target { id: entry.id.unwrap_or_default(), arn: entry.arn }).collect()
}

/// Whether a configured event, such as `s3:ObjectCreated:*`, is or includes the one of this name.
pub(super) fn covers(event: &str, name: &str) -> bool {
    let event = event.strip_prefix("s3:").unwrap_or(event);
    event.strip_suffix('*').map_or(event == name, |family| name.starts_with(family))
}

/// What a key must begin and end with.
pub(super) fn bounds(filter: Option<&NotificationConfigurationFilter>) -> (&str, &str) {
    let rules = filter.and_then(|filter| filter.key.as_ref()).and_then(|key| key.filter_rules.as_deref());
    let value = |wanted: &str| {
        let rule = rules
            .unwrap_or_default()
            .iter()
            .find(|rule| rule.name.as_ref().is_some_and(|name| name.as_str().eq_ignore_ascii_case(wanted)));
        rule.and_then(|rule| rule.value.as_deref()).unwrap_or_default()
    };
    (value("prefix"), value("suffix"))
}

#[cfg(test)]
mod tests {
    use s3s::dto::{FilterRule, FilterRuleName, QueueConfiguration, S3KeyFilter};

    use super::*;

    fn configured(events: &[&str], rules: &[(&str, &str)]) -> NotificationConfiguration {
        let rules = rules.iter().map(|(name, value)| FilterRule {
            name: Some(FilterRuleName::from((*name).to_owned())),
            value: Some((*value).to_owned()),
        });
        let filter = NotificationConfigurationFilter {
            key: Some(S3KeyFilter { filter_rules: Some(rules.collect()) }),
        };
        NotificationConfiguration {
            queue_configurations: Some(vec![QueueConfiguration {
                events: events.iter().map(|event| Event::from((*event).to_owned())).collect(),
                filter: Some(filter),
                id: Some("id".into()),
                queue_arn: "arn:aws:sqs:us-east-1:000000000000:q".into(),
            }]),
            ..Default::default()
        }
    }

    #[test]
    fn event_prefix_and_suffix_must_all_fit() {
        let check = |events: &[&str], rules: &[(&str, &str)], name: &str, key: &str, expected: bool| {
            let configured = configured(events, rules);
            assert_eq!(
                !targets(&configured, name, key).is_empty(),
                expected,
                "{events:?} {rules:?} {name} {key}"
            );
        };
        check(&["s3:ObjectCreated:*"], &[], "ObjectCreated:Put", "k", true);
        check(&["s3:ObjectCreated:*"], &[], "ObjectRemoved:Delete", "k", false);
        check(&["s3:ObjectCreated:Copy", "s3:ObjectCreated:Put"], &[], "ObjectCreated:Put", "k", true);
        check(&["s3:ObjectCreated:Copy"], &[], "ObjectCreated:Put", "k", false);
        let rules = [("prefix", "in/"), ("Suffix", ".jpg")];
        check(&["s3:ObjectCreated:*"], &rules, "ObjectCreated:Put", "in/a.jpg", true);
        check(&["s3:ObjectCreated:*"], &rules, "ObjectCreated:Put", "in/a.png", false);
        check(&["s3:ObjectCreated:*"], &rules, "ObjectCreated:Put", "out/a.jpg", false);
    }
}
