//! An alias as the API shows it.

use std::collections::BTreeMap;

use super::{Additional, AliasRecord};
use crate::shapes;

/// `AliasConfiguration`
pub fn configuration(record: &AliasRecord) -> shapes::AliasConfiguration {
    let weights = |additional: Additional| shapes::AliasRoutingConfiguration {
        additional_version_weights: Some(BTreeMap::from([(
            additional.version.to_string(),
            additional.weight,
        )])),
    };
    shapes::AliasConfiguration {
        alias_arn: Some(record.arn()),
        name: Some(record.name.clone()),
        function_version: Some(record.routing.version.to_string()),
        description: Some(record.description.clone()),
        routing_config: record.routing.additional.map(weights),
        revision_id: Some(record.revision_id.to_string()),
    }
}
