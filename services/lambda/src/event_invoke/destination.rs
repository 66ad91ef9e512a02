//! Where results may go.

use domain::{FunctionName, FunctionRef, Scope};
use store::Snapshot;
use wire::Error;

use crate::error::{Refusal, invalid_parameter, not_supported};
use crate::record::FUNCTIONS;

/// Whether Hearth can deliver to a service, by its name in ARNs.
pub type Deliverable = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// Services that AWS delivers results to; to S3 only what failed.
const SERVICES: &[&str] = &["lambda", "sqs", "sns", "events"];
const SERVICES_FOR_FAILURES: &[&str] = &["lambda", "sqs", "sns", "events", "s3"];

/// Which results a destination is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Failure,
}

/// Checks the destination of a function's results.
pub fn check(
    snapshot: &Snapshot<'_>,
    function: (&Scope, &FunctionName),
    arn: &str,
    outcome: Outcome,
    deliverable: &Deliverable,
) -> Result<(), Refusal> {
    let (scope, name) = function;
    let invalid = || invalid_parameter(format!("The destination ARN {arn} is invalid."));
    let service = service(arn).ok_or_else(invalid)?;
    let services = match outcome {
        Outcome::Success => SERVICES,
        Outcome::Failure => SERVICES_FOR_FAILURES,
    };
    if !services.contains(&service) {
        return Err(invalid().into());
    }
    if service == "lambda" {
        let reference: FunctionRef = arn.parse().map_err(|_| invalid())?;
        let other = Scope {
            account: reference.account.unwrap_or_else(|| scope.account.clone()),
            region: reference.region.unwrap_or_else(|| scope.region.clone()),
        };
        if other == *scope && reference.name == *name {
            return Err(
                invalid_parameter("You can't specify the function as a destination for itself.").into()
            );
        }
        if other != *scope || snapshot.get(&FUNCTIONS, (&other, &reference.name))?.is_none() {
            return Err(invalid().into());
        }
    }
    can_deliver(deliverable, service, arn).map_err(Refusal::from)
}

/// Refuses what Hearth could only lose.
pub fn can_deliver(deliverable: &Deliverable, service: &str, arn: &str) -> Result<(), Error> {
    if deliverable(service) { Ok(()) } else { Err(not_supported(&format!("deliveries to {arn}"))) }
}

/// `sqs` of `arn:aws:sqs:…`.
pub fn service(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let (arn, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    (arn == "arn" && parts.count() == 3).then_some(service)
}
