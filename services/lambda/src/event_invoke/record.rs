//! What is kept of an event invoke configuration.

use domain::{FunctionName, Qualifier, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::Table;

use crate::functions::Target;
use crate::record::arn;
use crate::{Lambda, shapes};

/// By function and qualifier.
pub static EVENT_INVOKE_CONFIGS: Table<(Scope, FunctionName, String), EventInvokeConfig> =
    Table::new("lambda.event_invoke_configs");

/// What the caller said; what is not there is as AWS has it by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventInvokeConfig {
    /// 0 to 2; by default 2.
    pub maximum_retry_attempts: Option<u8>,
    /// 60 to 21,600; by default 21,600.
    pub maximum_event_age_seconds: Option<u32>,
    /// The ARN that hears of results.
    pub on_success: Option<String>,
    /// The ARN that hears of events that were given up.
    pub on_failure: Option<String>,
    /// When it was last written.
    pub last_modified: Timestamp,
}

impl EventInvokeConfig {
    /// As the API shows it, under the ARN it belongs to.
    pub fn shown(self, function_arn: String) -> shapes::FunctionEventInvokeConfig {
        shapes::FunctionEventInvokeConfig {
            last_modified: Some(self.last_modified),
            function_arn: Some(function_arn),
            maximum_retry_attempts: self.maximum_retry_attempts.map(i32::from),
            maximum_event_age_in_seconds: self.maximum_event_age_seconds.map(u32::cast_signed),
            // Both parts are always there, if only as empty objects.
            destination_config: Some(shapes::DestinationConfig {
                on_success: Some(shapes::OnSuccess { destination: self.on_success }),
                on_failure: Some(shapes::OnFailure { destination: self.on_failure }),
            }),
        }
    }
}

/// The ARN of what a configuration is for: always with a qualifier.
pub fn qualified_arn(target: &Target) -> String {
    let qualifier = target.qualifier.as_ref().unwrap_or(&Qualifier::Latest);
    format!("{}:{qualifier}", arn(&target.scope, &target.name))
}

impl Lambda {
    /// How asynchronous invocations that were asked for by this qualifier are to be treated.
    pub fn event_invoke_config(
        &self,
        scope: &Scope,
        name: &FunctionName,
        qualifier: &Qualifier,
    ) -> Result<Option<EventInvokeConfig>, store::Error> {
        let qualifier = qualifier.to_string();
        self.store.read(|snapshot| snapshot.get(&EVENT_INVOKE_CONFIGS, (scope, name, &qualifier)))
    }
}
