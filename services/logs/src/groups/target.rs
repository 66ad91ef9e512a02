//! Which group a request is about.

use domain::Scope;
use wire::{Context, Error};

use crate::error::{invalid_parameter, not_supported};

/// A group's ARN, without the `:*` that stands for its streams.
pub fn arn(scope: &Scope, name: &str) -> String {
    scope.arn("logs", format_args!("log-group:{name}"))
}

/// Reads `logGroupName` or `logGroupIdentifier`, exactly one of which a request must have.
pub fn name_of(cx: &Context, name: Option<String>, identifier: Option<String>) -> Result<String, Error> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => of_identifier(cx, identifier),
        (Some(_), Some(_)) => {
            Err(invalid_parameter("LogGroup name and LogGroup ARN are mutually exclusive parameters."))
        }
        (None, None) => Err(invalid_parameter("You must include either logGroupIdentifier or logGroupName.")),
    }
}

/// Reads a name or an ARN.
pub fn of_identifier(cx: &Context, identifier: String) -> Result<String, Error> {
    if identifier.starts_with("arn:") { of_arn(cx, &identifier) } else { Ok(identifier) }
}

/// Reads an ARN of a group in the caller's account and region, with or without `:*` at its end.
pub fn of_arn(cx: &Context, arn: &str) -> Result<String, Error> {
    let invalid = || invalid_parameter(format!("The ARN '{arn}' is not that of a log group."));
    let mut parts = arn.splitn(6, ':');
    let (prefix, _partition, service) = (parts.next(), parts.next(), parts.next());
    if prefix != Some("arn") || service != Some("logs") {
        return Err(invalid());
    }
    let (region, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let resource = parts.next().ok_or_else(invalid)?;
    if resource.starts_with("destination:") || resource.starts_with("delivery") {
        return Err(not_supported("log resources other than groups and streams"));
    }
    let name = resource.strip_prefix("log-group:").ok_or_else(invalid)?;
    let name = name.strip_suffix(":*").unwrap_or(name);
    if name.is_empty() || name.contains([':', '*']) {
        return Err(invalid());
    }
    if region != cx.scope.region.as_str() {
        return Err(invalid_parameter(format!(
            "The ARN '{arn}' is not of this region ({}).",
            cx.scope.region
        )));
    }
    if account != cx.scope.account.as_str() {
        return Err(not_supported("log groups of linked accounts"));
    }
    Ok(name.to_owned())
}
