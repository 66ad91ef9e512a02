//! What each operation demands of its caller: the action's name, what it is about, and which condition keys it has.
//!
//! One line per operation, as AWS's service authorization reference has them. What invocations are asked is not here:
//! their handlers resolve the function, and ask then.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html>

/// What an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// `*`: nothing that is there.
    Nothing,
    /// `FunctionName`, perhaps with `Qualifier`.
    Function,
    /// Whatever has tags, or a policy: by its ARN.
    Named,
    /// `LayerName`
    Layer,
    /// `LayerName` and `VersionNumber`, or the ARN of both.
    LayerVersion,
    /// `UUID`
    Mapping,
    /// `CodeSigningConfigArn`
    CodeSigningConfig,
    /// A function, and a code signing configuration for it.
    FunctionAndConfig,
}

/// A condition key that only some actions have. Tags of what an action is about may always be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `lambda:CodeSigningConfigArn`
    CodeSigningConfigArn,
    /// `lambda:FunctionArn`
    FunctionArn,
    /// `lambda:FunctionUrlAuthType`
    FunctionUrlAuthType,
    /// `lambda:Layer`
    Layer,
    /// `lambda:Principal`
    Principal,
    /// `aws:RequestTag/…`
    RequestTag,
    /// `aws:TagKeys`
    TagKeys,
    /// `lambda:VpcIds`, `lambda:SubnetIds` and `lambda:SecurityGroupIds`: no action has some of them only.
    Vpc,
}

use About::{CodeSigningConfig, Function, FunctionAndConfig, Layer, LayerVersion, Mapping, Named, Nothing};

/// An operation, what it is about, its condition keys.
type Row = (&'static str, About, &'static [Key]);

const NO_KEYS: &[Key] = &[];
const OF_TAGS: &[Key] = &[Key::RequestTag, Key::TagKeys];
const OF_MAPPING: &[Key] = &[Key::FunctionArn];
const OF_URL: &[Key] = &[Key::FunctionUrlAuthType, Key::FunctionArn];
const OF_PERMISSION: &[Key] = &[Key::Principal, Key::FunctionUrlAuthType];

/// In the order of their names.
const OPERATIONS: &[Row] = &[
    ("AddLayerVersionPermission", LayerVersion, NO_KEYS),
    ("AddPermission", Function, OF_PERMISSION),
    ("CreateAlias", Function, NO_KEYS),
    ("CreateCodeSigningConfig", Nothing, OF_TAGS),
    ("CreateEventSourceMapping", Nothing, &[Key::FunctionArn, Key::RequestTag, Key::TagKeys]),
    (
        "CreateFunction",
        Function,
        &[Key::Layer, Key::Vpc, Key::CodeSigningConfigArn, Key::RequestTag, Key::TagKeys],
    ),
    ("CreateFunctionUrlConfig", Function, OF_URL),
    ("DeleteAlias", Function, NO_KEYS),
    ("DeleteCodeSigningConfig", CodeSigningConfig, NO_KEYS),
    ("DeleteEventSourceMapping", Mapping, OF_MAPPING),
    ("DeleteFunction", Function, NO_KEYS),
    ("DeleteFunctionCodeSigningConfig", Function, NO_KEYS),
    ("DeleteFunctionConcurrency", Function, NO_KEYS),
    ("DeleteFunctionEventInvokeConfig", Function, NO_KEYS),
    ("DeleteFunctionUrlConfig", Function, OF_URL),
    ("DeleteLayerVersion", LayerVersion, NO_KEYS),
    ("DeleteProvisionedConcurrencyConfig", Function, NO_KEYS),
    ("DeleteResourcePolicy", Named, NO_KEYS),
    ("GetAccountSettings", Nothing, NO_KEYS),
    ("GetAlias", Function, NO_KEYS),
    ("GetCodeSigningConfig", CodeSigningConfig, NO_KEYS),
    ("GetEventSourceMapping", Mapping, OF_MAPPING),
    ("GetFunction", Function, NO_KEYS),
    ("GetFunctionCodeSigningConfig", Function, NO_KEYS),
    ("GetFunctionConcurrency", Function, NO_KEYS),
    ("GetFunctionConfiguration", Function, NO_KEYS),
    ("GetFunctionEventInvokeConfig", Function, NO_KEYS),
    ("GetFunctionRecursionConfig", Function, NO_KEYS),
    ("GetFunctionScalingConfig", Function, NO_KEYS),
    ("GetFunctionUrlConfig", Function, OF_URL),
    ("GetLayerVersion", LayerVersion, NO_KEYS),
    ("GetLayerVersionByArn", LayerVersion, NO_KEYS),
    ("GetLayerVersionPolicy", LayerVersion, NO_KEYS),
    ("GetPolicy", Function, NO_KEYS),
    ("GetProvisionedConcurrencyConfig", Function, NO_KEYS),
    ("GetResourcePolicy", Named, NO_KEYS),
    ("GetRuntimeManagementConfig", Function, NO_KEYS),
    ("ListAliases", Function, NO_KEYS),
    ("ListCodeSigningConfigs", Nothing, NO_KEYS),
    ("ListEventSourceMappings", Nothing, NO_KEYS),
    ("ListFunctionEventInvokeConfigs", Function, NO_KEYS),
    ("ListFunctionUrlConfigs", Function, &[Key::FunctionUrlAuthType]),
    ("ListFunctions", Nothing, NO_KEYS),
    ("ListFunctionsByCodeSigningConfig", CodeSigningConfig, NO_KEYS),
    ("ListLayerVersions", Nothing, NO_KEYS),
    ("ListLayers", Nothing, NO_KEYS),
    ("ListProvisionedConcurrencyConfigs", Function, NO_KEYS),
    ("ListTags", Named, NO_KEYS),
    ("ListVersionsByFunction", Function, NO_KEYS),
    ("PublishLayerVersion", Layer, NO_KEYS),
    ("PublishVersion", Function, NO_KEYS),
    ("PutFunctionCodeSigningConfig", FunctionAndConfig, &[Key::CodeSigningConfigArn]),
    ("PutFunctionConcurrency", Function, NO_KEYS),
    ("PutFunctionEventInvokeConfig", Function, NO_KEYS),
    ("PutFunctionRecursionConfig", Function, NO_KEYS),
    ("PutFunctionScalingConfig", Function, NO_KEYS),
    ("PutProvisionedConcurrencyConfig", Function, NO_KEYS),
    ("PutResourcePolicy", Named, NO_KEYS),
    ("PutRuntimeManagementConfig", Function, NO_KEYS),
    ("RemoveLayerVersionPermission", LayerVersion, NO_KEYS),
    ("RemovePermission", Function, OF_PERMISSION),
    ("TagResource", Named, OF_TAGS),
    ("UntagResource", Named, &[Key::TagKeys]),
    ("UpdateAlias", Function, NO_KEYS),
    ("UpdateCodeSigningConfig", CodeSigningConfig, NO_KEYS),
    ("UpdateEventSourceMapping", Mapping, OF_MAPPING),
    ("UpdateFunctionCode", Function, NO_KEYS),
    ("UpdateFunctionConfiguration", Function, &[Key::Layer, Key::Vpc]),
    ("UpdateFunctionEventInvokeConfig", Function, NO_KEYS),
    ("UpdateFunctionUrlConfig", Function, OF_URL),
];

/// Operations whose action has another one's name.
const RENAMED: &[(&str, &str)] = &[("GetLayerVersionByArn", "GetLayerVersion")];

/// Actions that an operation demands besides its own: what it does could be done by these.
const DEPENDENT: &[(&str, &[&str])] = &[
    ("DeleteResourcePolicy", &["RemovePermission"]),
    ("GetResourcePolicy", &["GetPolicy"]),
    ("PutResourcePolicy", &["AddPermission", "RemovePermission"]),
];

/// What may be tagged as it is made, and what `lambda:TagResource` is then about: its own name is not known yet.
const MADE_WITH_TAGS: &[(&str, &str)] = &[
    ("CreateCodeSigningConfig", "code-signing-config:*"),
    ("CreateEventSourceMapping", "event-source-mapping:*"),
];

/// What an operation demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// What its action is called, behind `lambda:`.
    pub action: &'static str,
    /// What it is about.
    pub about: About,
    /// Which keys its conditions may ask about.
    pub keys: &'static [Key],
}

impl Requirement {
    /// Of an operation, unless it asks by itself.
    pub fn of(operation: &str) -> Option<Self> {
        let at = OPERATIONS.binary_search_by_key(&operation, |(name, ..)| name).ok()?;
        let (name, about, keys) = OPERATIONS[at];
        let renamed = RENAMED.iter().find(|(known, _)| *known == operation);
        Some(Self { action: renamed.map_or(name, |(_, action)| action), about, keys })
    }

    /// Whether the operation has this key.
    pub fn has(&self, key: Key) -> bool {
        self.keys.contains(&key)
    }
}

/// The actions that an operation demands besides its own, of what that is about.
pub fn dependent(operation: &str) -> &'static [&'static str] {
    DEPENDENT.iter().find(|(name, _)| *name == operation).map_or(&[], |(_, actions)| actions)
}

/// What the tags of a request belong to, if that is not what the request itself is about.
pub fn tagged_as(operation: &str) -> Option<&'static str> {
    MADE_WITH_TAGS.iter().find(|(made_by, _)| *made_by == operation).map(|(_, resource)| *resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Their handlers ask.
    const ASKED_BY_THEMSELVES: &[&str] = &["Invoke", "InvokeAsync", "InvokeWithResponseStream"];

    #[tokio::test]
    async fn every_operation_that_is_implemented_has_its_line() {
        let server = crate::tests::Server::start().await;
        let service = crate::service(server.lambda.clone());
        let implemented: Vec<_> =
            service.implemented().filter(|name| !ASKED_BY_THEMSELVES.contains(name)).collect();
        let listed: Vec<_> = OPERATIONS.iter().map(|(name, ..)| *name).collect();
        assert_eq!(implemented, listed);
    }

    #[test]
    fn actions_are_called_as_their_operations_but_for_those_that_share_one() {
        let action = |operation| Requirement::of(operation).map(|requirement| requirement.action);
        assert_eq!(action("GetLayerVersionByArn"), Some("GetLayerVersion"));
        assert_eq!(action("Invoke"), None);
        for (operation, ..) in OPERATIONS {
            let renamed = RENAMED.iter().any(|(name, _)| name == operation);
            assert_eq!(action(operation) == Some(operation), !renamed, "{operation}");
        }
    }

    #[test]
    fn who_replaces_a_policy_may_change_it_in_every_way() {
        assert_eq!(dependent("PutResourcePolicy"), ["AddPermission", "RemovePermission"]);
        assert!(dependent("AddPermission").is_empty());
        assert!(DEPENDENT.iter().all(|(operation, _)| Requirement::of(operation).is_some()));
    }

    #[test]
    fn what_is_made_with_tags_says_what_is_tagged() {
        for (operation, about, keys) in OPERATIONS {
            let is_made_nameless =
                operation.starts_with("Create") && *about == Nothing && keys.contains(&Key::RequestTag);
            assert_eq!(tagged_as(operation).is_some(), is_made_nameless, "{operation}");
        }
    }
}
