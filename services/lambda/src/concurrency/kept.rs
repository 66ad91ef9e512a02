//! What of a function is to be initialised before requests come: what its configurations come to for its versions, and
//! those with SnapStart.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{FunctionName, Qualifier, Scope, Version};
use engine::{Initialization, Kept};
use store::{Scan, Snapshot};

use super::PROVISIONED;
use crate::aliases::{ALIASES, Routing};
use crate::record::State;
use crate::snapshot::Shown;
use crate::versions::VERSIONS;

/// Reads it. A version that cannot be invoked yet comes when it can.
pub fn kept(
    snapshot: &Snapshot<'_>,
    scope: &Scope,
    name: &FunctionName,
    shown: &Shown,
) -> Result<Vec<Kept>, store::Error> {
    let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
    for ((_, _, qualifier), provisioned) in snapshot.scan(&PROVISIONED, &Scan::prefix((scope, name)))? {
        let routing = match Qualifier::parse(&qualifier) {
            Some(Qualifier::Version(number)) => {
                Some(Routing { version: Version::Number(number), additional: None })
            }
            Some(Qualifier::Alias(alias)) => {
                snapshot.get(&ALIASES, (scope, name, &alias))?.map(|alias| alias.routing)
            }
            Some(Qualifier::Latest) | None => None,
        };
        let shares = routing.map(|routing| shares(&routing, provisioned.concurrency)).unwrap_or_default();
        for (number, count) in shares {
            let sum = counts.entry(number).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    let provisioned = counts.into_iter().filter(|(_, count)| *count > 0).filter_map(|(number, count)| {
        let version = shown.version(number)?;
        Some(Kept { version, kind: Initialization::Provisioned, count })
    });
    let snap_started = snapshot.scan(&VERSIONS, &Scan::prefix((scope, name)))?.into_iter();
    let snap_started = snap_started
        .filter(|(_, record)| record.is_snap_start() && !matches!(record.state, State::Failed { .. }))
        // A version that is not invoked yet waits for just that.
        .map(|((_, _, number), record)| {
            shown.version(number).unwrap_or_else(|| Arc::new(record.function_version()))
        })
        .map(|version| Kept { version, kind: Initialization::SnapStart, count: 1 });
    Ok(provisioned.chain(snap_started).collect())
}

/// How much of what is provisioned for an alias each version gets: as much as of the invocations.
pub fn shares(routing: &Routing, concurrency: u32) -> Vec<(u64, u32)> {
    let Version::Number(first) = routing.version else { return Vec::new() };
    let Some(additional) = routing.additional else { return vec![(first, concurrency)] };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a u32")]
    let second = (f64::from(concurrency) * additional.weight.clamp(0.0, 1.0)).round() as u32;
    vec![(first, concurrency - second), (additional.version, second)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aliases::Additional;

    #[test]
    fn two_versions_share_by_weight() {
        let routing = |weight| Routing {
            version: Version::Number(1),
            additional: Some(Additional { version: 2, weight }),
        };
        assert_eq!(shares(&routing(0.1), 10), [(1, 9), (2, 1)]);
        assert_eq!(shares(&routing(0.5), 3), [(1, 1), (2, 2)]);
        assert_eq!(shares(&routing(0.0), 3), [(1, 3), (2, 0)]);
        assert_eq!(shares(&routing(1.0), 3), [(1, 0), (2, 3)]);
        assert_eq!(shares(&Routing { version: Version::Number(7), additional: None }, 3), [(7, 3)]);
    }
}
