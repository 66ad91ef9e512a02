//! `TestEventPattern`

use pattern::Pattern;
use serde_json::Value;
use wire::{Context, Error};

use crate::error::{bad_pattern, validation};
use crate::{Events, shapes};

/// What an event must have to be compared with a pattern.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html>
const REQUIRED: [&str; 6] = ["id", "account", "source", "time", "region", "detail-type"];

/// Whether a pattern matches an event.
pub(crate) async fn test_pattern(
    _: Events,
    _: Context,
    input: shapes::TestEventPatternRequest,
) -> Result<shapes::TestEventPatternResponse, Error> {
    let pattern = Pattern::parse(&input.event_pattern).map_err(|error| bad_pattern(&error))?;
    let event: Value = serde_json::from_str(&input.event)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| validation("Parameter Event is not valid."))?;
    if REQUIRED.iter().any(|name| event.get(name).is_none_or(Value::is_null)) {
        return Err(validation("Parameter Event is not valid."));
    }
    Ok(shapes::TestEventPatternResponse { result: Some(pattern.matches(&event)) })
}
