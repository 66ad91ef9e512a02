//! What the operations of each service are about, as IAM's service authorization reference has it. `*` stands for what
//! is about nothing that is there.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

use wire::{Context, Fields, Value};

/// The bus of an account that has no name of its own.
const DEFAULT: &str = "default";

/// The action that an operation needs, where it is not its own name.
pub fn action<'a>(service: &str, operation: &'a str) -> &'a str {
    match (service, operation) {
        ("SNS", "PublishBatch") => "Publish",
        (_, operation) => operation,
    }
}

/// A log group, or a stream in one.
pub fn of_logs(cx: &Context, _operation: &str, fields: &Fields) -> Vec<String> {
    let named =
        ["resourceArn", "logGroupIdentifier", "logGroupName"].into_iter().find_map(|it| text(fields, it));
    vec![match named.unwrap_or_default() {
        arn if arn.starts_with("arn:") => arn.to_owned(),
        group => {
            let stream = text(fields, "logStreamName").unwrap_or_default();
            cx.scope.arn("logs", format_args!("log-group:{group}:log-stream:{stream}"))
        }
    }]
}

/// A queue that is to be; those that are there are asked about when they are found.
pub fn of_sqs(cx: &Context, operation: &str, fields: &Fields) -> Vec<String> {
    match (operation, text(fields, "QueueName")) {
        ("CreateQueue", Some(name)) => vec![cx.scope.arn("sqs", name)],
        ("ListQueues", _) => vec!["*".to_owned()],
        _ => Vec::new(),
    }
}

/// A topic; a subscription is asked about as its topic.
pub fn of_sns(cx: &Context, operation: &str, fields: &Fields) -> Vec<String> {
    /// A subscription's ARN has a part more than its topic's.
    const TOPIC_PARTS: usize = 6;
    if let ("CreateTopic", Some(name)) = (operation, text(fields, "Name")) {
        return vec![cx.scope.arn("sns", name)];
    }
    let named = ["TopicArn", "TargetArn", "ResourceArn", "SubscriptionArn"]
        .into_iter()
        .find_map(|it| text(fields, it));
    vec![match named {
        Some(arn) => arn.split(':').take(TOPIC_PARTS).collect::<Vec<_>>().join(":"),
        None => "*".to_owned(),
    }]
}

/// A bus, a rule, an archive or a replay; for events, every bus that they are for.
pub fn of_events(cx: &Context, operation: &str, fields: &Fields) -> Vec<String> {
    let bus = text(fields, "EventBusName");
    let arn = |kind: &str, name: &str| cx.scope.arn("events", format_args!("{kind}/{name}"));
    if let Some(arn) = text(fields, "ResourceARN") {
        return vec![arn.to_owned()];
    }
    let named = |member: &str, kind: &str| text(fields, member).map(|name| arn(kind, name));
    let one = match operation {
        "PutEvents" => return buses(cx, fields),
        "PutPermission" | "RemovePermission" => Some(bus_arn(cx, bus)),
        "CreateEventBus" | "DeleteEventBus" | "UpdateEventBus" | "DescribeEventBus" => {
            Some(bus_arn(cx, text(fields, "Name")))
        }
        "PutRule" | "DeleteRule" | "DescribeRule" | "EnableRule" | "DisableRule" => {
            text(fields, "Name").map(|rule| rule_arn(cx, bus, rule))
        }
        "PutTargets" | "RemoveTargets" | "ListTargetsByRule" => {
            text(fields, "Rule").map(|rule| rule_arn(cx, bus, rule))
        }
        _ => named("ArchiveName", "archive").or_else(|| named("ReplayName", "replay")),
    };
    vec![one.unwrap_or_else(|| "*".to_owned())]
}

/// A schedule or a group of them.
pub fn of_scheduler(cx: &Context, operation: &str, fields: &Fields) -> Vec<String> {
    let arn = |resource: std::fmt::Arguments<'_>| cx.scope.arn("scheduler", resource);
    if let Some(arn) = text(fields, "ResourceArn") {
        return vec![arn.to_owned()];
    }
    vec![match text(fields, "Name") {
        Some(name) if operation.ends_with("Group") => arn(format_args!("schedule-group/{name}")),
        Some(name) => {
            let group = text(fields, "GroupName").unwrap_or(DEFAULT);
            arn(format_args!("schedule/{group}/{name}"))
        }
        None => "*".to_owned(),
    }]
}

/// The buses of a request's events, each once.
fn buses(cx: &Context, fields: &Fields) -> Vec<String> {
    let Some(Value::List(entries)) = fields.get("Entries") else { return Vec::new() };
    let mut buses: Vec<String> = entries
        .iter()
        .filter_map(|entry| match entry {
            Value::Structure(entry) => Some(bus_arn(cx, text(entry, "EventBusName"))),
            _ => None,
        })
        .collect();
    buses.sort_unstable();
    buses.dedup();
    buses
}

/// A bus by its name or its ARN.
fn bus_arn(cx: &Context, bus: Option<&str>) -> String {
    match bus.unwrap_or(DEFAULT) {
        arn if arn.starts_with("arn:") => arn.to_owned(),
        name => cx.scope.arn("events", format_args!("event-bus/{name}")),
    }
}

/// A rule of the default bus has no bus in its ARN.
fn rule_arn(cx: &Context, bus: Option<&str>, rule: &str) -> String {
    let bus = bus_arn(cx, bus);
    match bus.rsplit_once("event-bus/") {
        Some((of_account, DEFAULT)) => format!("{of_account}rule/{rule}"),
        Some((of_account, bus)) => format!("{of_account}rule/{bus}/{rule}"),
        None => "*".to_owned(),
    }
}

fn text<'a>(fields: &'a Fields, member: &str) -> Option<&'a str> {
    match fields.get(member) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}
