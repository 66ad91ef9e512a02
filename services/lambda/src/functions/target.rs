//! Which function a request is about.

use domain::{FunctionName, FunctionRef, Qualifier, Scope, Version};
use store::Snapshot;
use wire::{Context, Error};

use crate::aliases::{ALIASES, AliasRecord};
use crate::error::{Refusal, access_denied, constraint_message, invalid_parameter};
use crate::record::{FUNCTIONS, FunctionRecord, arn};

/// A request's function and qualifier, checked against each other and against where the request arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where the function lives: in the caller's region.
    pub scope: Scope,
    /// Its name.
    pub name: FunctionName,
    /// What the caller asked for; none means `$LATEST`, and shows in fewer ARNs.
    pub qualifier: Option<Qualifier>,
}

/// What a [`Target`] names.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The function, as it is under `$LATEST`: tags and all else that versions do not have.
    pub latest: FunctionRecord,
    /// The alias, if the target is one.
    pub alias: Option<AliasRecord>,
    /// The version that the target is, or that the alias mostly stands for.
    pub record: FunctionRecord,
}

impl Target {
    /// Reads `FunctionName` and, where the operation has one, `Qualifier`, of a function in the caller's own account.
    pub fn parse(cx: &Context, function: &str, qualifier: Option<&str>) -> Result<Self, Error> {
        let target = Self::parse_any(cx, function, qualifier)?;
        if target.scope.account != cx.scope.account {
            return Err(access_denied(
                &cx.principal,
                "this operation",
                &target.arn(),
                "because no resource-based policy allows it",
            ));
        }
        Ok(target)
    }

    /// Reads the same of a function in any account: whether the caller may do it has been asked by
    /// [`crate::permissions::guard`].
    pub fn parse_any(cx: &Context, function: &str, qualifier: Option<&str>) -> Result<Self, Error> {
        let reference: FunctionRef = function.parse().map_err(|_| {
            Error::new(
                "ValidationException",
                constraint_message(
                    function,
                    "functionName",
                    "Member must satisfy regular expression pattern: \
                     (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?\
                     (\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?",
                ),
            )
        })?;
        if reference.name.as_str().len() > FunctionName::LENGTH_MAX {
            return Err(invalid_parameter(constraint_message(
                &reference.name,
                "functionName",
                format_args!("Member must have length less than or equal to {}", FunctionName::LENGTH_MAX),
            )));
        }
        if let Some(region) = reference.region.filter(|region| *region != cx.scope.region) {
            return Err(Error::new(
                "ResourceNotFoundException",
                format!("Functions from '{region}' are not reachable in this region ('{}')", cx.scope.region),
            ));
        }
        let account = reference.account.unwrap_or_else(|| cx.scope.account.clone());
        let scope = Scope { account, region: cx.scope.region.clone() };
        let asked = match qualifier {
            Some(text) => Some(
                Qualifier::parse(text)
                    .ok_or_else(|| unknown_qualifier(&arn(&scope, &reference.name), text))?,
            ),
            None => None,
        };
        let qualifier = match (reference.qualifier, asked) {
            (Some(in_name), Some(asked)) if in_name != asked => {
                return Err(invalid_parameter(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ));
            }
            (in_name, asked) => in_name.or(asked),
        };
        Ok(Self { scope, name: reference.name, qualifier })
    }

    /// The store's key.
    pub fn key(&self) -> (Scope, FunctionName) {
        (self.scope.clone(), self.name.clone())
    }

    /// The key of what is stored for this qualifier: the function without one counts as `$LATEST`.
    pub fn qualified_key(&self) -> (Scope, FunctionName, String) {
        let qualifier = self.qualifier.as_ref().unwrap_or(&Qualifier::Latest);
        (self.scope.clone(), self.name.clone(), qualifier.to_string())
    }

    /// The function's ARN, with the qualifier if the caller gave one.
    pub fn arn(&self) -> String {
        let arn = arn(&self.scope, &self.name);
        match &self.qualifier {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        }
    }

    /// The error for a function or version that is not there.
    pub fn not_found(&self) -> Error {
        crate::error::function_not_found(&self.scope, &self.name, self.qualifier.as_ref())
    }

    /// Refuses what names a version or an alias where only the function itself will do.
    pub fn without_qualifier(self) -> Result<Self, Error> {
        match self.qualifier {
            None | Some(Qualifier::Latest) => Ok(self),
            Some(Qualifier::Version(_) | Qualifier::Alias(_)) => Err(invalid_parameter(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
                 operation. Please specify either a function name or an unqualified function ARN.",
            )),
        }
    }

    /// What is stored under it, in this snapshot or transaction; or that there is no such function, version or alias.
    pub fn resolve(&self, snapshot: &Snapshot<'_>) -> Result<Resolved, Refusal> {
        let latest = self.expect(snapshot.get(&FUNCTIONS, self.key())?)?;
        let (version, alias) = match &self.qualifier {
            None | Some(Qualifier::Latest) => (Version::Latest, None),
            Some(Qualifier::Version(number)) => (Version::Number(*number), None),
            Some(Qualifier::Alias(name)) => {
                let alias = snapshot.get(&ALIASES, (&self.scope, &self.name, name))?;
                let alias = alias.ok_or_else(|| self.not_found())?;
                (alias.routing.version, Some(alias))
            }
        };
        let record = match version {
            Version::Latest => latest.clone(),
            Version::Number(_) => {
                self.expect(FunctionRecord::read(snapshot, &self.scope, &self.name, version)?)?
            }
        };
        Ok(Resolved { latest, alias, record })
    }

    /// Takes what the store found, or says that there is no such function.
    pub fn expect(&self, found: Option<FunctionRecord>) -> Result<FunctionRecord, Error> {
        found.ok_or_else(|| self.not_found())
    }
}

/// What no version and no alias can be called. Of what the model lets through it is only that there is none.
fn unknown_qualifier(function_arn: &str, text: &str) -> Error {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'_' | b'-');
    if !text.is_empty() && text.bytes().all(is_legal) {
        return Error::new("ResourceNotFoundException", format!("Function not found: {function_arn}:{text}"));
    }
    Error::new(
        "ValidationException",
        constraint_message(
            text,
            "qualifier",
            "Member must satisfy regular expression pattern: (|[a-zA-Z0-9$_-]+)",
        ),
    )
}
