//! Whether a bus with many rules takes events as fast as one with few.

use serde_json::json;

use super::Session;
use crate::bench::aws::{self, EVENTS};
use crate::bench::http::Connection;
use crate::bench::load::{Plan, drive};
use crate::bench::spread::Spread;

/// Rules of a bus: what most have, and what AWS's default quota has to be raised for.
const RULES: [usize; 2] = [10, 1_000];
const EVENTS_PUT: usize = 2_000;

/// All rules name the same source, and what tells them apart is a text, or a test that only a look at each decides.
pub fn rules(session: &mut Session<'_>) -> anyhow::Result<()> {
    let address = session.api.address();
    let mut connection = Connection::open(address)?;
    let mut call = |operation: &str, body: serde_json::Value| {
        aws::ask(&mut connection, &EVENTS.call(address, operation, &body)).map(drop)
    };
    type Test = fn(usize) -> serde_json::Value;
    let tests: [(&str, Test); 2] = [
        ("by texts", |number| json!(format!("customer-{number}"))),
        ("by prefixes", |number| json!({ "prefix": format!("customer-{number}") })),
    ];
    for (what, test) in tests {
        for count in RULES {
            let bus = format!("rules-{}-{count}", what.replace(' ', "-"));
            call("CreateEventBus", json!({ "Name": bus }))?;
            for number in 0..count {
                let pattern = json!({ "source": ["shop"], "detail-type": ["Paid"], "detail": { "of": [test(number)] } });
                let rule = json!({ "Name": format!("r-{number}"), "EventBusName": bus, "EventPattern": pattern.to_string() });
                call("PutRule", rule)?;
                let target = json!({ "Id": "1", "Arn": "arn:aws:sqs:us-east-1:000000000000:nobody" });
                call(
                    "PutTargets",
                    json!({ "Rule": format!("r-{number}"), "EventBusName": bus, "Targets": [target] }),
                )?;
            }
            // Nobody's: what happens after an event is accepted is measured elsewhere.
            let detail =
                json!({ "of": "nobody", "amount": 7, "items": [{ "id": "a", "count": 2 }] }).to_string();
            let entry =
                json!({ "EventBusName": bus, "Source": "shop", "DetailType": "Paid", "Detail": detail });
            let request = EVENTS.call(address, "PutEvents", &json!({ "Entries": [entry] }));
            drive(address, 1, &Plan::Count { request: &request, count: EVENTS_PUT / 10 })?;
            let run = drive(address, 1, &Plan::Count { request: &request, count: EVENTS_PUT })?;
            let per_second = run.per_second();
            let row = format!("PutEvents, {count} rules told apart {what}");
            session.report.spread_with_rate(&row, &Spread::of(run.times), per_second);
        }
    }
    Ok(())
}
