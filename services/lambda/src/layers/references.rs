//! `Layers` of a function: which it may use, and how much.

use std::collections::HashMap;

use domain::limits;
use store::Snapshot;
use wire::{Context, Error};

use super::policy::ACTION;
use super::record::{LayerReference, LayerVersionRecord};
use super::target::{VersionTarget, access_denied};
use crate::error::{Refusal, invalid_parameter};
use crate::record::FunctionRecord;

/// Takes the ARNs that a caller sent, lowest first, and gives what the function keeps of them.
pub fn resolve(
    snapshot: &Snapshot<'_>,
    cx: &Context,
    arns: &[String],
) -> Result<Vec<LayerReference>, Refusal> {
    if arns.len() > limits::LAYERS {
        return Err(
            invalid_parameter(format!("Cannot reference more than {} layers.", limits::LAYERS)).into()
        );
    }
    let mut by_layer: HashMap<String, &str> = HashMap::new();
    let mut references = Vec::with_capacity(arns.len());
    for arn in arns {
        let version = usable(snapshot, cx, arn)?;
        if let Some(other) = by_layer.insert(version.layer_arn(), arn) {
            return Err(invalid_parameter(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. \
                 {other} and {arn} are versions of the same layer."
            ))
            .into());
        }
        references.push(LayerReference { arn: version.arn(), code: version.code });
    }
    Ok(references)
}

fn usable(snapshot: &Snapshot<'_>, cx: &Context, arn: &str) -> Result<LayerVersionRecord, Refusal> {
    let target = VersionTarget::parse_arn(arn)?;
    let (account, region) = (&cx.scope.account, &cx.scope.region);
    let is_near = target.layer.scope.region == *region;
    let found = if is_near { target.find(snapshot)? } else { None };
    if target.layer.scope.account == *account {
        return match found {
            Some(version) => Ok(version),
            None if is_near => Err(invalid_parameter(format!("Layer version {arn} does not exist.")).into()),
            None => Err(invalid_parameter(format!(
                "Layers are not in the same region as the function. Layers are expected to be in region {region}."
            ))
            .into()),
        };
    }
    // Of another account's layers only those that its policy opens can be told from those that are not there.
    found
        .filter(|version| version.policy.as_ref().is_some_and(|policy| policy.allows(account)))
        .ok_or_else(|| access_denied(&cx.principal, ACTION, arn).into())
}

/// Code and layers share one limit.
pub fn check_size(function: &FunctionRecord) -> Result<(), Error> {
    let layers: u64 = function.layers.iter().map(|layer| layer.code.unpacked_size).sum();
    if layers > limits::UNZIPPED_BYTES {
        return Err(invalid_parameter(format!(
            "Layers consume more than the available size of {} bytes",
            limits::UNZIPPED_BYTES
        )));
    }
    let all = layers + function.code.unpacked_size;
    if all > limits::UNZIPPED_BYTES {
        return Err(invalid_parameter(format!(
            "Function code combined with layers exceeds the maximum allowed size of {} bytes. The actual size is {all} \
             bytes.",
            limits::UNZIPPED_BYTES
        )));
    }
    Ok(())
}
