//! What destinations and dead-letter queues are told of an event.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>

use bytes::Bytes;
use deliveries::{Attribute, Delivery, Event, Message, Purpose, Sender};
use domain::limits::DEAD_LETTER_ERROR_MESSAGE_BYTES;
use domain::{FunctionVersion, Timestamp};
use engine::{FunctionError, Outcome};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Settings;
use super::verdict::Condition;

/// An event that is done with.
pub struct Finished<'a> {
    pub id: Uuid,
    pub payload: &'a Bytes,
    pub trace_header: &'a str,
    pub condition: Condition,
    /// How often the function ran with it.
    pub invoke_count: u32,
    /// The function's ARN, always with a qualifier.
    pub function_arn: &'a str,
    pub version: &'a FunctionVersion,
    /// What the last run came to; none if the function never ran.
    pub outcome: Option<&'a Outcome>,
    pub now: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    version: &'static str,
    timestamp: String,
    request_context: RequestContext<'a>,
    request_payload: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: Uuid,
    function_arn: &'a str,
    condition: &'static str,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext {
    status_code: u16,
    executed_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'static str>,
}

impl Finished<'_> {
    /// Everything that is to be sent because of it.
    pub fn deliveries(&self, settings: &Settings, dead_letter: Option<&str>) -> Vec<Delivery> {
        let destination = match self.condition {
            Condition::Success => &settings.on_success,
            _ => &settings.on_failure,
        };
        let destination = destination.as_deref().map(|target| self.to_destination(target));
        let dead_letter = dead_letter.map(|target| self.to_dead_letter_queue(target));
        destination.into_iter().chain(dead_letter).collect()
    }

    fn to_destination(&self, target: &str) -> Delivery {
        let kind = target.split(':').nth(2);
        let payload = if kind == Some("events") { self.event(target) } else { self.record() };
        let delivery =
            Delivery { purpose: Purpose::Destination, ..Delivery::new(target, payload, self.sender()) };
        let trace_header = Some(self.trace_header.to_owned());
        match kind {
            Some("lambda") => delivery.with(&Event { trace_header, ..Event::default() }),
            Some("events") => delivery,
            _ => delivery.with(&Message { trace_header, ..Message::default() }),
        }
    }

    /// The record as an event for a bus.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
    fn event(&self, bus: &str) -> Bytes {
        let result = if self.condition == Condition::Success { "Success" } else { "Failure" };
        let record: serde_json::Value =
            serde_json::from_slice(&self.record()).expect("a record is written as JSON");
        let event = serde_json::json!({
            "source": "lambda",
            "detail-type": format!("Lambda Function Invocation Result - {result}"),
            "resources": [bus, self.function_arn],
            "detail": record,
        });
        event.to_string().into()
    }

    /// The event as it came, with what went wrong beside it.
    fn to_dead_letter_queue(&self, target: &str) -> Delivery {
        let attributes = [
            ("RequestID", Attribute::string(self.id.to_string())),
            ("ErrorCode", Attribute::number(self.error_code())),
            ("ErrorMessage", Attribute::string(self.error_message())),
        ];
        let message = Message {
            attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            trace_header: Some(self.trace_header.to_owned()),
            ..Message::default()
        };
        let delivery = Delivery::new(target, self.payload.clone(), self.sender());
        Delivery { purpose: Purpose::DeadLetter, ..delivery }.with(&message)
    }

    /// Results go out with the rights of the function's role.
    fn sender(&self) -> Sender {
        Sender::Role { arn: self.version.role.clone(), source_arn: self.function_arn.to_owned() }
    }

    fn record(&self) -> Bytes {
        let record = Record {
            version: "1.0",
            timestamp: crate::functions::iso_timestamp(self.now),
            request_context: RequestContext {
                request_id: self.id,
                function_arn: self.function_arn,
                condition: self.condition.name(),
                approximate_invoke_count: self.invoke_count,
            },
            request_payload: serde_json::from_slice(self.payload).unwrap_or(RawValue::NULL),
            response_context: self.outcome.map(|outcome| ResponseContext {
                status_code: 200,
                executed_version: self.version.version.to_string(),
                function_error: outcome.function_error.as_ref().map(|_| FunctionError::HEADER_VALUE),
            }),
            response_payload: self.outcome.map(|outcome| response_payload(&outcome.payload)),
        };
        serde_json::to_vec(&record).expect("a record is plain data").into()
    }

    /// What a caller would have been answered.
    fn error_code(&self) -> u16 {
        match self.condition {
            Condition::RecursiveLoop => 400,
            _ if self.outcome.is_some() => 200,
            _ => 429,
        }
    }

    fn error_message(&self) -> String {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Reported {
            error_message: String,
        }
        let outcome = match (self.condition, self.outcome) {
            (Condition::RecursiveLoop, _) => return crate::error::RECURSIVE_LOOP.to_owned(),
            (_, None) => return "Rate Exceeded.".to_owned(),
            (_, Some(outcome)) => outcome,
        };
        let mut text = match serde_json::from_slice::<Reported>(&outcome.payload) {
            Ok(reported) => reported.error_message,
            Err(_) => String::from_utf8_lossy(&outcome.payload).into_owned(),
        };
        text.truncate(text.floor_char_boundary(DEAD_LETTER_ERROR_MESSAGE_BYTES));
        // An attribute cannot be empty.
        if text.is_empty() { "Unhandled".to_owned() } else { text }
    }
}

/// A response that is no JSON stands in the record as text.
fn response_payload(payload: &Bytes) -> Box<RawValue> {
    let json: Result<Box<RawValue>, _> = serde_json::from_slice(payload);
    json.unwrap_or_else(|_| {
        serde_json::value::to_raw_value(&String::from_utf8_lossy(payload)).expect("text is JSON")
    })
}
