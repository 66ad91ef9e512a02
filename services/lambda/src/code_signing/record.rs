//! What is kept of code signing configurations, and of which functions have one.

use std::collections::BTreeMap;

use domain::{FunctionName, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Snapshot, Table};
use wire::Error;

use crate::error::Refusal;
use crate::functions::timestamp;
use crate::shapes;

/// Configurations by where they live and their id.
pub static CODE_SIGNING_CONFIGS: Table<(Scope, String), CodeSigningConfigRecord> =
    Table::new("lambda.code_signing_configs");

/// Functions that have one: its id.
pub static ATTACHED: Table<(Scope, FunctionName), String> = Table::new("lambda.function_code_signing");

/// One configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeSigningConfigRecord {
    /// Where it lives.
    pub scope: Scope,
    /// `csc-` and 17 characters.
    pub id: String,
    /// Free text.
    pub description: Option<String>,
    /// The signing profiles, by the ARNs of their versions, whose signatures are trusted.
    pub signing_profile_version_arns: Vec<String>,
    /// Whether a package that is not trusted is refused; otherwise the server only logs it.
    pub enforces: bool,
    /// When it was last written.
    pub last_modified: Timestamp,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

impl CodeSigningConfigRecord {
    /// A new id.
    pub fn new_id() -> String {
        /// Characters after the prefix, as the model's pattern has them.
        const LENGTH: usize = 17;
        let random = uuid::Uuid::new_v4().simple().to_string();
        format!("csc-{}", &random[..LENGTH])
    }

    /// The key in [`CODE_SIGNING_CONFIGS`].
    pub fn key(&self) -> (Scope, String) {
        (self.scope.clone(), self.id.clone())
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        arn(&self.scope, &self.id)
    }

    /// As the API shows it.
    pub fn shown(&self) -> shapes::CodeSigningConfig {
        shapes::CodeSigningConfig {
            code_signing_config_id: self.id.clone(),
            code_signing_config_arn: self.arn(),
            description: self.description.clone(),
            allowed_publishers: shapes::AllowedPublishers {
                signing_profile_version_arns: self.signing_profile_version_arns.clone(),
            },
            code_signing_policies: shapes::CodeSigningPolicies {
                untrusted_artifact_on_deployment: Some(if self.enforces {
                    shapes::CodeSigningPolicy::Enforce
                } else {
                    shapes::CodeSigningPolicy::Warn
                }),
            },
            last_modified: timestamp(self.last_modified),
        }
    }
}

/// The ARN of a configuration.
pub fn arn(scope: &Scope, id: &str) -> String {
    scope.arn("lambda", format_args!("code-signing-config:{id}"))
}

/// The id in an ARN whose form the model has checked; none if it is of another account or region.
pub fn parse_arn<'a>(scope: &Scope, text: &'a str) -> Option<&'a str> {
    let (_, id) = text.rsplit_once(':')?;
    (arn(scope, id) == text).then_some(id)
}

/// Reads a configuration, or says that there is none.
pub fn find(
    snapshot: &Snapshot<'_>,
    scope: &Scope,
    config_arn: &str,
) -> Result<CodeSigningConfigRecord, Refusal> {
    let found = match parse_arn(scope, config_arn) {
        Some(id) => snapshot.get(&CODE_SIGNING_CONFIGS, (scope, id))?,
        None => None,
    };
    Ok(found.ok_or_else(|| not_found(config_arn))?)
}

/// There is no such configuration.
pub fn not_found(config_arn: &str) -> Error {
    Error::new(
        "ResourceNotFoundException",
        format!("The Lambda code signing configuration {config_arn} can not be found."),
    )
}
