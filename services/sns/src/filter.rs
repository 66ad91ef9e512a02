//! Which messages a subscription wants.

use std::collections::BTreeMap;

use pattern::{FilterPolicy, MessageAttribute, Scope};
use wire::Error;

use crate::error::invalid;
use crate::publish::{Attribute, AttributeKind};
use crate::record::SubscriptionAttributes;

/// Reads a filter policy.
pub(crate) fn parse(policy: &str, of_body: bool) -> Result<FilterPolicy, Error> {
    let scope = if of_body { Scope::MessageBody } else { Scope::MessageAttributes };
    FilterPolicy::parse(policy, scope).map_err(invalid)
}

/// Whether a subscription wants a message. A filter was checked before it was stored; one that cannot be read any more
/// lets nothing through.
pub(crate) fn wants(
    subscription: &SubscriptionAttributes,
    attributes: &BTreeMap<String, Attribute>,
    body: &str,
) -> bool {
    let Some(policy) = &subscription.filter_policy else { return true };
    let Ok(policy) = parse(policy, subscription.filter_body) else { return false };
    let shown = attributes.iter().map(|(name, attribute)| {
        let string_value =
            (attribute.kind() != Some(AttributeKind::Binary)).then_some(attribute.value.as_str());
        (name.as_str(), MessageAttribute { data_type: &attribute.data_type, string_value })
    });
    policy.matches(shown, body)
}
