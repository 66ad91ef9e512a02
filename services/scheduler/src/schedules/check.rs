//! What a schedule may say. Creating one and updating one ask the same.

use domain::Timestamp;
use schedule::{Schedule, Zone};
use wire::Error;

use super::target;
use crate::error::{not_supported, validation};
use crate::record::ScheduleRecord;
use crate::shapes;

/// What both operations send.
pub(super) struct Asked {
    pub(super) expression: String,
    pub(super) timezone: Option<String>,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    pub(super) description: Option<String>,
    pub(super) state: Option<shapes::ScheduleState>,
    pub(super) key: Option<String>,
    pub(super) target: shapes::Target,
    pub(super) window: shapes::FlexibleTimeWindow,
    pub(super) client_token: Option<String>,
    pub(super) action: Option<shapes::ActionAfterCompletion>,
}

/// Makes a record of it.
pub(super) fn record(asked: Asked, now: Timestamp) -> Result<ScheduleRecord, Error> {
    let invalid_expression = || validation(format!("Invalid Schedule Expression {}.", asked.expression));
    let read = Schedule::parse_for_scheduler(&asked.expression).map_err(|_| invalid_expression())?;
    if let Some(name) = &asked.timezone
        && Zone::find(name).is_none()
    {
        return Err(validation("Invalid ScheduleExpressionTimezone."));
    }
    if asked.key.is_some_and(|key| !key.is_empty()) {
        return Err(not_supported("encryption with a KMS key (KmsKeyArn)"));
    }
    if let (Some(start), Some(end)) = (asked.start, asked.end)
        && start >= end
    {
        return Err(validation("The StartDate you specify must come before the EndDate."));
    }
    if asked.end.is_some_and(|end| end <= now) {
        return Err(validation("The EndDate you specify must be in the future."));
    }
    let window_minutes = match (asked.window.mode, asked.window.maximum_window_in_minutes) {
        (shapes::FlexibleTimeWindowMode::Off, None) => None,
        (shapes::FlexibleTimeWindowMode::Off, Some(_)) => {
            return Err(validation("MaximumWindowInMinutes cannot be set when FlexibleTimeWindow is OFF."));
        }
        (shapes::FlexibleTimeWindowMode::Flexible, Some(minutes)) => u32::try_from(minutes).ok(),
        (shapes::FlexibleTimeWindowMode::Flexible, None) => {
            return Err(validation(
                "MaximumWindowInMinutes is required when FlexibleTimeWindow is FLEXIBLE.",
            ));
        }
    };
    // A date and time has no beginning and no end but itself.
    let is_once = matches!(read, Schedule::At(_));
    Ok(ScheduleRecord {
        expression: asked.expression,
        timezone: asked.timezone,
        start: asked.start.filter(|_| !is_once),
        end: asked.end.filter(|_| !is_once),
        description: asked.description,
        enabled: asked.state != Some(shapes::ScheduleState::Disabled),
        target: target::read(asked.target)?,
        window_minutes,
        delete_after_completion: asked.action == Some(shapes::ActionAfterCompletion::Delete),
        client_token: asked.client_token,
        created: now,
        modified: now,
        fired: None,
    })
}
