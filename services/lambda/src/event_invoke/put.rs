//! `PutFunctionEventInvokeConfig` and `UpdateFunctionEventInvokeConfig`

use domain::Timestamp;
use wire::{Context, Error};

use super::destination::{self, Outcome};
use super::get::none;
use super::record::{EVENT_INVOKE_CONFIGS, EventInvokeConfig, qualified_arn};
use crate::error::{Refusal, invalid_parameter};
use crate::functions::Target;
use crate::{Lambda, shapes};

/// Replaces all of what was there.
pub async fn put(
    lambda: Lambda,
    cx: Context,
    input: shapes::PutFunctionEventInvokeConfigRequest,
) -> Result<shapes::FunctionEventInvokeConfig, Error> {
    let target = Target::parse_any(&cx, &input.function_name, input.qualifier.as_deref())?;
    let change = Change::new(
        input.maximum_retry_attempts,
        input.maximum_event_age_in_seconds,
        input.destination_config,
    )?;
    write(lambda, target, change, false).await
}

/// Replaces what was sent and keeps the rest.
pub async fn update(
    lambda: Lambda,
    cx: Context,
    input: shapes::UpdateFunctionEventInvokeConfigRequest,
) -> Result<shapes::FunctionEventInvokeConfig, Error> {
    let target = Target::parse_any(&cx, &input.function_name, input.qualifier.as_deref())?;
    let change = Change::new(
        input.maximum_retry_attempts,
        input.maximum_event_age_in_seconds,
        input.destination_config,
    )?;
    write(lambda, target, change, true).await
}

async fn write(
    lambda: Lambda,
    target: Target,
    change: Change,
    keep: bool,
) -> Result<shapes::FunctionEventInvokeConfig, Error> {
    let arn = qualified_arn(&target);
    let now = lambda.now();
    // A function that is not there is the transaction's to say.
    if let Ok(function) = lambda.store.read(|snapshot| target.resolve(snapshot)) {
        for (destination, _) in change.destinations() {
            lambda.check_destination(&function.record, destination)?;
        }
    }
    let store = lambda.store.clone();
    let written = store
        .write(move |tx| {
            if target.resolve(tx).is_err_and(|refusal| refusal.is("ResourceNotFoundException")) {
                return Err(no_such_function().into());
            }
            let key = target.qualified_key();
            let before = match tx.get(&EVENT_INVOKE_CONFIGS, &key)? {
                Some(before) if keep => Some(before),
                None if keep => return Err(none(&target).into()),
                _ => None,
            };
            for (arn, outcome) in change.destinations() {
                let function = (&target.scope, &target.name);
                destination::check(tx, function, arn, outcome, &lambda.deliverable)?;
            }
            let after = change.apply(before, now);
            tx.put(&EVENT_INVOKE_CONFIGS, &key, &after)?;
            Ok::<_, Refusal>(after)
        })
        .await?;
    Ok(written.shown(arn))
}

/// No such function, version or alias: these operations have words of their own for it.
pub fn no_such_function() -> Error {
    Error::new("ResourceNotFoundException", "The function doesn't exist.")
}

/// What a caller sent.
struct Change {
    retries: Option<u8>,
    age_seconds: Option<u32>,
    destinations: Option<shapes::DestinationConfig>,
}

impl Change {
    fn new(
        retries: Option<i32>,
        age_seconds: Option<i32>,
        destinations: Option<shapes::DestinationConfig>,
    ) -> Result<Self, Error> {
        if retries.is_none() && age_seconds.is_none() && destinations.is_none() {
            return Err(invalid_parameter(
                "You must specify at least one of error handling or destination setting.",
            ));
        }
        // The model's ranges have been checked.
        let retries = retries.and_then(|retries| u8::try_from(retries).ok());
        Ok(Self { retries, age_seconds: age_seconds.and_then(|age| u32::try_from(age).ok()), destinations })
    }

    fn on_success(&self) -> Option<&str> {
        let config = self.destinations.as_ref()?.on_success.as_ref()?;
        config.destination.as_deref().filter(|arn| !arn.is_empty())
    }

    fn on_failure(&self) -> Option<&str> {
        let config = self.destinations.as_ref()?.on_failure.as_ref()?;
        config.destination.as_deref().filter(|arn| !arn.is_empty())
    }

    fn destinations(&self) -> impl Iterator<Item = (&str, Outcome)> {
        let on_success = self.on_success().map(|arn| (arn, Outcome::Success));
        on_success.into_iter().chain(self.on_failure().map(|arn| (arn, Outcome::Failure)))
    }

    /// Destinations are one setting: whoever sends one of the two replaces both.
    fn apply(&self, before: Option<EventInvokeConfig>, last_modified: Timestamp) -> EventInvokeConfig {
        let kept = before.unwrap_or(EventInvokeConfig {
            maximum_retry_attempts: None,
            maximum_event_age_seconds: None,
            on_success: None,
            on_failure: None,
            last_modified,
        });
        let (on_success, on_failure) = match self.destinations {
            Some(_) => (self.on_success().map(str::to_owned), self.on_failure().map(str::to_owned)),
            None => (kept.on_success, kept.on_failure),
        };
        EventInvokeConfig {
            maximum_retry_attempts: self.retries.or(kept.maximum_retry_attempts),
            maximum_event_age_seconds: self.age_seconds.or(kept.maximum_event_age_seconds),
            on_success,
            on_failure,
            last_modified,
        }
    }
}
