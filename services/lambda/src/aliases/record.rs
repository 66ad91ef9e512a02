//! What is stored of an alias.

use domain::{FunctionName, Scope};
use serde::{Deserialize, Serialize};
use store::Table;
use uuid::Uuid;

use super::Routing;

/// Aliases by the function and their name.
pub static ALIASES: Table<(Scope, FunctionName, String), AliasRecord> = Table::new("lambda.aliases");

/// One alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasRecord {
    /// Where the function lives.
    pub scope: Scope,
    /// The function.
    pub function: FunctionName,
    /// The alias's own name.
    pub name: String,
    /// Where it points.
    pub routing: Routing,
    /// Free text.
    pub description: String,
    /// Changes with every change, those of its resource policy included.
    pub revision_id: Uuid,
}

impl AliasRecord {
    /// The key in [`ALIASES`].
    pub fn key(&self) -> (Scope, FunctionName, String) {
        (self.scope.clone(), self.function.clone(), self.name.clone())
    }

    /// `AliasArn`
    pub fn arn(&self) -> String {
        alias_arn(&self.scope, &self.function, &self.name)
    }
}

/// An alias's ARN.
pub fn alias_arn(scope: &Scope, function: &FunctionName, name: &str) -> String {
    scope.arn("lambda", format_args!("function:{function}:{name}"))
}
