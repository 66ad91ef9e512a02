//! The rules of where an alias may point.

use std::collections::BTreeMap;

use domain::{FunctionName, Scope, Version};
use store::Snapshot;
use wire::Error;

use super::{Additional, Routing};
use crate::error::{Refusal, constraint, function_not_found, invalid_parameter, not_supported};
use crate::record::FunctionRecord;
use crate::shapes;

/// `FunctionVersion` of an alias. The model has checked its form.
pub fn version(text: &str) -> Result<Version, Error> {
    match text {
        "$LATEST" => Ok(Version::Latest),
        "$LATEST.PUBLISHED" => Err(not_supported("$LATEST.PUBLISHED (Lambda Managed Instances)")),
        number => number.parse().map(Version::Number).map_err(|_| {
            constraint(
                number,
                "functionVersion",
                "Member must satisfy regular expression pattern: (\\$LATEST(\\.PUBLISHED)?|[0-9]+)",
            )
        }),
    }
}

/// `RoutingConfig` of an alias to `version`. One without weights is none.
pub fn additional(
    version: Version,
    given: Option<&shapes::AliasRoutingConfiguration>,
) -> Result<Option<Additional>, Error> {
    let Some(weights) = given.and_then(|given| given.additional_version_weights.as_ref()) else {
        return Ok(None);
    };
    check_weights(weights)?;
    let Some((text, weight)) = weights.iter().next() else { return Ok(None) };
    let second = text.parse().map_err(|_| {
        constraint(
            format_args!("{{{text}={weight}}}"),
            "routingConfig.additionalVersionWeights",
            "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have \
             length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, Member must not \
             be null]",
        )
    })?;
    kept(version, Some(Additional { version: second, weight: *weight }))
}

/// A second version beside `version`, whether it is new or stays.
pub fn kept(version: Version, additional: Option<Additional>) -> Result<Option<Additional>, Error> {
    let Some(second) = additional else { return Ok(None) };
    if version == Version::Number(second.version) {
        return Err(invalid_parameter(format!(
            "Invalid function version {version}. Function version {version} is already included in routing configuration."
        )));
    }
    if version == Version::Latest {
        return Err(invalid_parameter(
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ));
    }
    Ok(additional)
}

fn check_weights(weights: &BTreeMap<String, f64>) -> Result<(), Error> {
    if weights.len() > 1 {
        return Err(invalid_parameter(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    Ok(())
}

/// Both versions must be there, and two must agree on what invocations of the alias may do.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html>
pub fn check_versions(
    snapshot: &Snapshot<'_>,
    scope: &Scope,
    name: &FunctionName,
    routing: &Routing,
) -> Result<(), Refusal> {
    let find = |version: Version| {
        FunctionRecord::read(snapshot, scope, name, version)?
            .ok_or_else(|| Refusal::from(function_not_found(scope, name, Some(&version.into()))))
    };
    let main = find(routing.version)?;
    let Some(additional) = routing.additional else { return Ok(()) };
    let second = find(Version::Number(additional.version))?;
    let differing = if main.role != second.role {
        "execution role"
    } else if main.connections.dead_letter_arn != second.connections.dead_letter_arn {
        "dead-letter queue configuration"
    } else {
        return Ok(());
    };
    Err(invalid_parameter(format!(
        "An alias can point to two versions only if both have the same {differing}."
    ))
    .into())
}
