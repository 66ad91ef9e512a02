//! Runs a mapping's function, for whoever polls its source.

use bytes::Bytes;
use engine::{Invocation, InvokeError, Outcome};
use uuid::Uuid;

use super::MappingRecord;
use crate::Lambda;
use crate::aliases::Chance;
use crate::snapshot::Invocable;

/// Why a function did not run on a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappedError {
    /// There is no such function, version or alias any more.
    Gone,
    /// There is no room for it now.
    Throttled,
    /// It would be one call too many in a loop.
    RecursiveLoop,
    /// It cannot run now, for another reason.
    Unavailable(String),
    /// The server stops.
    ShuttingDown,
}

impl Lambda {
    /// Runs the function of a mapping on a batch.
    ///
    /// # Errors
    /// If it did not run. What the function itself says is no error.
    pub async fn run_mapped(
        &self,
        mapping: &MappingRecord,
        payload: Bytes,
        trace_header: Option<String>,
    ) -> Result<Outcome, MappedError> {
        let request_id = Uuid::new_v4();
        let invocable = self.invocable(mapping, Chance::of(request_id));
        let version = match invocable.ok_or(MappedError::Gone)? {
            // A record does not say whom it is for.
            Invocable::Version(version) if version.per_tenant => {
                return Err(MappedError::Unavailable(
                    "Event source mappings are not supported for functions with tenancy configuration"
                        .to_owned(),
                ));
            }
            Invocable::Version(version) => version,
            Invocable::Initialising => {
                return Err(MappedError::Unavailable("The version is still being initialized".to_owned()));
            }
            Invocable::Pending => {
                return Err(MappedError::Unavailable("The function is still being created".to_owned()));
            }
            Invocable::Failed(why) => return Err(MappedError::Unavailable(why.to_string())),
        };
        let trace_header = self
            .follow(trace_header.as_deref(), &version, request_id)
            .map_err(|_| MappedError::RecursiveLoop)?;
        let invocation = Invocation {
            version,
            request_id,
            invoked_arn: mapping.function_arn(),
            payload,
            client_context: None,
            cognito_identity: None,
            trace_header: Some(trace_header),
            tenant_id: None,
            synchronous: true,
            tail: false,
        };
        self.engine.invoke(invocation).await.map_err(|error| match error {
            InvokeError::Throttled { .. } => MappedError::Throttled,
            InvokeError::ShuttingDown => MappedError::ShuttingDown,
            error => MappedError::Unavailable(error.to_string()),
        })
    }

    /// Counts events of a mapping that asked for it.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#event-source-mapping-metrics>
    pub fn count_mapped(&self, mapping: &MappingRecord, metric: &'static str, events: usize) {
        if mapping.settings.counts_events && events > 0 {
            crate::measures::record_of_mapping(&self.metrics, &mapping.scope, mapping.id, metric, events);
        }
    }

    /// The role with whose rights a mapping's source is polled; nothing while the function cannot run.
    pub fn mapping_role(&self, mapping: &MappingRecord) -> Option<String> {
        match self.invocable(mapping, Chance::of(mapping.id))? {
            Invocable::Version(version) => Some(version.role.clone()),
            Invocable::Pending | Invocable::Initialising | Invocable::Failed(_) => None,
        }
    }

    fn invocable(&self, mapping: &MappingRecord, chance: Chance) -> Option<Invocable> {
        self.functions.find(&mapping.scope, &mapping.function, mapping.qualifier.as_ref(), chance)
    }
}
