//! From an event to a delivery for each target of each rule that wants it.

use std::collections::BTreeMap;

use deliveries::{AcceptError, Attribute, Backoff, DeadLetter, Delivery, Message, Policy, Sender};
use store::Tx;
use wire::Error;

use super::event::Event;
use super::input::render;
use crate::Events;
use crate::archives::keep;
use crate::arn::BusRef;
use crate::error::Refusal;
use crate::limits::{AGE_SECONDS_DEFAULT, RETRIES_DEFAULT};
use crate::record::TargetRecord;

/// Accepts an event on a bus: keeps it in the archives that want it and sends it to the rules that do.
pub(crate) fn accept_for_rules(
    events: &Events,
    tx: &mut Tx<'_>,
    bus: &BusRef,
    event: &Event,
    only: &[String],
) -> Result<(), Refusal> {
    keep(tx, bus, event)?;
    let rules = events.rules.of(tx, bus)?;
    for rule in rules.matching(&event.value) {
        if only.is_empty() || only.contains(&rule.arn) {
            send_to_targets(events, tx, &rule.arn, &rule.name, &rule.record.targets, event)?;
        }
    }
    Ok(())
}

/// Accepts a delivery for each of a rule's targets.
pub(crate) fn send_to_targets(
    events: &Events,
    tx: &mut Tx<'_>,
    rule_arn: &str,
    rule_name: &str,
    targets: &[TargetRecord],
    event: &Event,
) -> Result<(), Refusal> {
    for target in targets {
        let delivery = delivery(rule_arn, rule_name, target, event);
        events.deliveries.accept(tx, delivery).map_err(|error| match error {
            AcceptError::Store(error) => Refusal::from(error),
            full @ AcceptError::Full { .. } => {
                Refusal::from(Error::new("ThrottlingException", full.to_string()))
            }
        })?;
    }
    Ok(())
}

fn delivery(rule_arn: &str, rule_name: &str, target: &TargetRecord, event: &Event) -> Delivery {
    let sender = Sender::service("events.amazonaws.com", rule_arn);
    let retries = target.retries.unwrap_or(RETRIES_DEFAULT);
    let policy = match deliveries_kind(&target.arn) {
        // A function has taken an event as soon as it is invoked; how often it then runs is its own affair.
        "lambda" => Policy::FUNCTIONS_OWN,
        _ => Policy {
            attempts_max: retries + 1,
            age_seconds_max: target.age_seconds.unwrap_or(AGE_SECONDS_DEFAULT),
            backoff: Backoff::default(),
        },
    };
    let letter = |arn: &String| DeadLetter {
        target: arn.clone(),
        details: serde_json::to_value(Message {
            attributes: BTreeMap::from([
                ("RULE_ARN".to_owned(), Attribute::string(rule_arn)),
                ("TARGET_ARN".to_owned(), Attribute::string(&target.arn)),
            ]),
            ..Message::default()
        })
        .unwrap_or_default(),
        explained: true,
    };
    let payload = render(&target.input, event, rule_arn, rule_name);
    let delivery = Delivery {
        policy,
        dead_letter: target.dead_letter.as_ref().map(letter),
        ..Delivery::new(target.arn.clone(), payload, sender)
    };
    let trace_header = event.trace_header.clone();
    match deliveries_kind(&target.arn) {
        "sqs" | "sns" => {
            delivery.with(&Message { trace_header, group_id: target.group_id.clone(), ..Message::default() })
        }
        "lambda" => delivery.with(&deliveries::Event { trace_header, ..deliveries::Event::default() }),
        _ => delivery,
    }
}

fn deliveries_kind(arn: &str) -> &str {
    arn.split(':').nth(2).unwrap_or_default()
}
