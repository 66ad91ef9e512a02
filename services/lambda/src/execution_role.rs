//! What a function's execution role must be allowed before the function is connected to something that is reached as
//! that role. Whoever polls and delivers asks again each time: policies change.

use wire::Error;

use crate::error::invalid_parameter;
use crate::event_invoke::arn_service;
use crate::{Lambda, record::FunctionRecord};

/// Whether a role may, for the function with an ARN, do something to a resource, by its own policies.
pub type RoleMay = Box<dyn Fn(&str, &str, &str, &str) -> bool + Send + Sync>;

/// What the poller of a queue does, in the order in which Lambda asks.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions>
const POLLING: [&str; 3] = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];

impl Lambda {
    /// `DeadLetterConfig`: a function whose role may not send there is not made.
    pub(crate) fn check_dead_letters(
        &self,
        function_arn: &str,
        role: &str,
        target_arn: &str,
    ) -> Result<(), Error> {
        let (action, service) = match arn_service(target_arn) {
            Some("sns") => ("Publish", "SNS"),
            _ => ("SendMessage", "SQS"),
        };
        let action_of_policies = format!("{}:{action}", service.to_lowercase());
        if (self.role_may)(role, function_arn, &action_of_policies, target_arn) {
            return Ok(());
        }
        Err(invalid_parameter(format!(
            "The provided execution role does not have permissions to call {action} on {service}"
        )))
    }

    /// A mapping from a queue.
    pub(crate) fn check_polling(&self, function: &FunctionRecord, queue_arn: &str) -> Result<(), Error> {
        let (role, arn) = (&function.role, function.arn());
        let missing = POLLING
            .into_iter()
            .find(|action| !(self.role_may)(role, &arn, &format!("sqs:{action}"), queue_arn));
        missing.map_or(Ok(()), |action| {
            Err(invalid_parameter(format!(
                "The function execution role does not have permissions to call {action} on SQS"
            )))
        })
    }

    /// A destination of results.
    pub(crate) fn check_destination(
        &self,
        function: &FunctionRecord,
        destination: &str,
    ) -> Result<(), Error> {
        let arn = function.arn();
        let (service, action, resource) = match arn_service(destination) {
            Some("sqs") => ("sqs", "SendMessage", destination.to_owned()),
            Some("sns") => ("sns", "Publish", destination.to_owned()),
            Some("events") => ("events", "PutEvents", destination.to_owned()),
            Some("lambda") => ("lambda", "InvokeFunction", destination.to_owned()),
            // Records lie beneath the function's name.
            Some("s3") => {
                ("s3", "PutObject", format!("{destination}/aws/lambda/async/{}/*", function.name.as_str()))
            }
            // Where nothing can be delivered is refused for that.
            _ => return Ok(()),
        };
        if (self.role_may)(&function.role, &arn, &format!("{service}:{action}"), &resource) {
            return Ok(());
        }
        Err(invalid_parameter(format!(
            "The function's execution role does not have permissions to call {action} on {destination}"
        )))
    }
}
