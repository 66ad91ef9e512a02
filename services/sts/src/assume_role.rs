//! Credentials of a role, for whom its trust policy names.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Account, Principal};
use iam::{Role, arn_of};
use wire::{Context, Error};

use crate::error::{access_denied, no_mfa_device, unsupported, validation_error};
use crate::shapes::{AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser};
use crate::{Sts, shown};

/// `DurationSeconds` when none is given; and its maximum for a caller that is itself a role's session.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
const DURATION_SECONDS_DEFAULT: i32 = 3_600;

/// `AssumeRole`. Unlike on AWS, the holder of the account may assume a role, too: without configured credentials every
/// caller is one.
pub(crate) async fn assume_role(
    sts: Sts,
    cx: Context,
    input: AssumeRoleRequest,
) -> Result<AssumeRoleResponse, Error> {
    check_supported(&input)?;
    let account = account_of_role(&input.role_arn)?;
    let role = sts.iam.role(&account, &input.role_arn)?;
    let conditions = conditions(&cx.principal, &input);
    let role = match role {
        Some(role) if sts.iam.assumable_by(&role, &cx.principal, &conditions)? => role,
        // A role that does not exist is refused in the same words, so that nobody learns which do.
        _ => return Err(refused(&cx.principal, &input.role_arn)),
    };
    let seconds = duration_seconds(&cx.principal, &role, input.duration_seconds)?;
    let session = input.role_session_name;
    let expires = sts.now().plus(Duration::from_secs(seconds.into()));
    let credentials = sts.iam.sessions().mint_for_role(&account, &role.name, &role.id, &session, expires);
    let user = Principal::AssumedRole {
        account,
        role: role.name,
        role_id: role.id.clone(),
        session: session.clone(),
        source_function: None,
    };
    Ok(AssumeRoleResponse {
        credentials: Some(shown(credentials)),
        assumed_role_user: Some(AssumedRoleUser {
            assumed_role_id: format!("{}:{session}", role.id),
            arn: arn_of(&user),
        }),
        ..AssumeRoleResponse::default()
    })
}

fn check_supported(input: &AssumeRoleRequest) -> Result<(), Error> {
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(no_mfa_device());
    }
    let refused = [
        ("Policy", input.policy.is_some()),
        ("PolicyArns", is_given(input.policy_arns.as_ref())),
        ("Tags", is_given(input.tags.as_ref())),
        ("TransitiveTagKeys", is_given(input.transitive_tag_keys.as_ref())),
        ("SourceIdentity", input.source_identity.is_some()),
        ("ProvidedContexts", is_given(input.provided_contexts.as_ref())),
        ("MinimumSessionTokenSize", input.minimum_session_token_size.is_some()),
    ];
    match refused.iter().find(|(_, is_given)| *is_given) {
        Some((parameter, _)) => Err(unsupported(parameter)),
        None => Ok(()),
    }
}

fn is_given<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|values| !values.is_empty())
}

fn account_of_role(arn: &str) -> Result<Account, Error> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let account = match parts[..] {
        ["arn", _, "iam", "", account, resource] if resource.starts_with("role/") => Account::parse(account),
        _ => None,
    };
    account.ok_or_else(|| validation_error(format!("{arn} is invalid")))
}

fn duration_seconds(caller: &Principal, role: &Role, asked: Option<i32>) -> Result<u32, Error> {
    let seconds = asked.unwrap_or(DURATION_SECONDS_DEFAULT);
    let is_chained = matches!(caller, Principal::AssumedRole { .. });
    if is_chained && seconds > DURATION_SECONDS_DEFAULT {
        return Err(validation_error(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    if seconds > role.max_session_seconds {
        return Err(validation_error(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    u32::try_from(seconds).map_err(|_| validation_error("DurationSeconds must be positive."))
}

/// The condition keys that a trust policy can ask for.
fn conditions<'k>(caller: &Principal, input: &AssumeRoleRequest) -> BTreeMap<&'k str, String> {
    let kind = match caller {
        Principal::Root(_) => "Account",
        Principal::User { .. } => "User",
        Principal::AssumedRole { .. } => "AssumedRole",
    };
    let mut keys = BTreeMap::from([
        ("aws:PrincipalAccount", caller.account().to_string()),
        ("aws:PrincipalArn", arn_of(caller)),
        ("aws:PrincipalType", kind.to_owned()),
        ("sts:RoleSessionName", input.role_session_name.clone()),
    ]);
    if let Some(external_id) = &input.external_id {
        keys.insert("sts:ExternalId", external_id.clone());
    }
    if let Principal::User { name, .. } = caller {
        keys.insert("aws:username", name.clone());
    }
    keys
}

fn refused(caller: &Principal, role_arn: &str) -> Error {
    access_denied(format!(
        "User: {} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
        arn_of(caller)
    ))
}

#[cfg(test)]
#[path = "assume_role_tests.rs"]
mod tests;
