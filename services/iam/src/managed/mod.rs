//! Policies that AWS manages: those that users of Lambda and its neighbours attach by name.
//!
//! `policies.json` holds their documents complete, as published by AWS in 2026; the order of actions may differ. Ids
//! are not published by AWS: Hearth makes its own, always the same for a name. Of each policy only the version that was
//! in effect is known. A policy that is not in the table cannot be attached, and the error says so as AWS would for a
//! name that does not exist; it is added by adding a line to the file.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use domain::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::id;

/// A policy that AWS manages.
#[derive(Deserialize)]
pub(crate) struct Managed {
    pub(crate) name: String,
    pub(crate) path: String,
    /// `v3`
    pub(crate) version: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    document: Box<RawValue>,
}

impl Managed {
    pub(crate) fn id(&self) -> String {
        id::managed_policy(&self.name)
    }

    pub(crate) fn document(&self) -> &str {
        self.document.get()
    }

    /// In the partition of whoever asks.
    pub(crate) fn arn(&self, partition: &str) -> String {
        let Self { path, name, .. } = self;
        format!("arn:{partition}:iam::aws:policy{path}{name}")
    }
}

/// By path and name, as an ARN ends.
static POLICIES: LazyLock<BTreeMap<String, Managed>> = LazyLock::new(|| {
    let policies: Vec<Managed> =
        serde_json::from_str(include_str!("policies.json")).expect("the table is read by a test");
    policies.into_iter().map(|policy| (format!("{}{}", policy.path, policy.name), policy)).collect()
});

/// The policy with this ARN, of any partition.
pub(crate) fn by_arn(arn: &str) -> Option<&'static Managed> {
    let (partition, resource) = arn.strip_prefix("arn:")?.split_once(":iam::aws:policy")?;
    let is_partition = !partition.is_empty() && !partition.contains(':');
    is_partition.then(|| POLICIES.get(resource))?
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Managed> {
    POLICIES.values()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_document::check_identity_policy;

    #[test]
    fn every_policy_of_the_table_is_one_that_iam_would_store() {
        assert!(all().count() > 50);
        for policy in all() {
            assert_eq!(check_identity_policy(policy.document()), Ok(()), "{}", policy.name);
            assert!(policy.created <= policy.updated && policy.version.starts_with('v'), "{}", policy.name);
        }
    }

    #[test]
    fn the_policies_that_users_of_lambda_name_are_there() {
        for name in [
            "service-role/AWSLambdaBasicExecutionRole",
            "service-role/AWSLambdaVPCAccessExecutionRole",
            "service-role/AWSLambdaSQSQueueExecutionRole",
            "service-role/AWSLambdaKinesisExecutionRole",
            "service-role/AWSLambdaDynamoDBExecutionRole",
            "service-role/AWSLambdaMSKExecutionRole",
            "service-role/AWSLambdaBasicDurableExecutionRolePolicy",
            "AWSLambda_FullAccess",
            "AWSLambda_ReadOnlyAccess",
            "AWSXRayDaemonWriteAccess",
            "AmazonS3FullAccess",
            "AmazonDynamoDBFullAccess",
            "AmazonSQSFullAccess",
            "AmazonSNSFullAccess",
            "CloudWatchLogsFullAccess",
            "CloudWatchLambdaInsightsExecutionRolePolicy",
            "AdministratorAccess",
            "PowerUserAccess",
            "ReadOnlyAccess",
            "AmazonEventBridgeFullAccess",
            "AWSStepFunctionsFullAccess",
            "SecretsManagerReadWrite",
            "AmazonSSMReadOnlyAccess",
        ] {
            let arn = format!("arn:aws:iam::aws:policy/{name}");
            assert_eq!(by_arn(&arn).map(|policy| policy.arn("aws")), Some(arn), "{name}");
        }
        let basic = by_arn("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole").unwrap();
        assert!(basic.document().contains("logs:PutLogEvents"));
    }

    #[test]
    fn other_arns_find_nothing() {
        for arn in [
            "",
            "arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole",
            "arn:aws:iam::000000000000:policy/AdministratorAccess",
            "arn:aws:s3:iam::aws:policy/AdministratorAccess",
            "arn:aws:iam::aws:policyAdministratorAccess",
        ] {
            assert!(by_arn(arn).is_none(), "{arn}");
        }
    }

    #[test]
    fn ids_are_stable_and_differ() {
        let ids: std::collections::BTreeSet<_> = all().map(Managed::id).collect();
        assert_eq!(ids.len(), all().count());
        assert!(ids.iter().all(|id| id.starts_with("ANPA") && id.len() == 21));
    }
}
