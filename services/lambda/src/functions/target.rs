//! Which function a request is about.

use domain::{FunctionName, FunctionRef, Qualifier, Scope};
use wire::{Context, Error};

use crate::error::{constraint_message, invalid_parameter};
use crate::record::{FunctionRecord, arn};

/// A request's function and qualifier, checked against each other and against where the request arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where the function lives: the caller's own account and region.
    pub scope: Scope,
    /// Its name.
    pub name: FunctionName,
    /// What the caller asked for; none means `$LATEST`, and shows in fewer ARNs.
    pub qualifier: Option<Qualifier>,
}

impl Target {
    /// Reads `FunctionName` and, where the operation has one, `Qualifier`.
    pub fn parse(cx: &Context, function: &str, qualifier: Option<&str>) -> Result<Self, Error> {
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
        if let Some(account) = reference.account.filter(|account| *account != cx.scope.account) {
            // Resource policies that would let another account in arrive with AddPermission.
            let resource = arn(&Scope { account, region: cx.scope.region.clone() }, &reference.name);
            return Err(Error::new(
                "AccessDeniedException",
                format!(
                    "User: arn:aws:iam::{}:root is not authorized to perform this operation on resource: {resource} \
                     because no resource-based policy allows it",
                    cx.scope.account
                ),
            ));
        }
        let asked = qualifier
            .map(|text| Qualifier::parse(text).ok_or_else(|| invalid_qualifier(text)))
            .transpose()?;
        let qualifier = match (reference.qualifier, asked) {
            (Some(in_name), Some(asked)) if in_name != asked => {
                return Err(invalid_parameter(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ));
            }
            (in_name, asked) => in_name.or(asked),
        };
        Ok(Self { scope: cx.scope.clone(), name: reference.name, qualifier })
    }

    /// The store's key.
    pub fn key(&self) -> (Scope, FunctionName) {
        (self.scope.clone(), self.name.clone())
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

    /// Only `$LATEST` exists until versions can be published; anything else is truly not found.
    pub fn check_qualifier(&self) -> Result<(), Error> {
        match self.qualifier {
            None | Some(Qualifier::Latest) => Ok(()),
            Some(Qualifier::Version(_) | Qualifier::Alias(_)) => Err(self.not_found()),
        }
    }

    /// Takes what the store found, or says that there is no such function.
    pub fn expect(&self, found: Option<FunctionRecord>) -> Result<FunctionRecord, Error> {
        found.ok_or_else(|| self.not_found())
    }
}

fn invalid_qualifier(text: &str) -> Error {
    Error::new(
        "ValidationException",
        constraint_message(
            text,
            "qualifier",
            "Member must satisfy regular expression pattern: (|[a-zA-Z0-9$_-]+)",
        ),
    )
}
