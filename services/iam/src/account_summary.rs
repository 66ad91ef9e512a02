//! How much of IAM an account uses.

use std::collections::BTreeMap;

use store::{Scan, Snapshot};
use wire::generated::Unit;
use wire::{Context, Error};

use crate::error::Failure;
use crate::record::{POLICIES, ROLES, USERS};
use crate::shapes::{GetAccountSummaryResponse, SummaryKeyType as Key};
use crate::{Iam, quotas};

/// `GetAccountSummary`
pub(crate) async fn get_account_summary(
    iam: Iam,
    cx: Context,
    _: Unit,
) -> Result<GetAccountSummaryResponse, Error> {
    let used = iam.read(|snapshot| used(snapshot, &cx))?;
    let quotas = QUOTAS.iter().map(|(key, value)| (*key, *value));
    let absent = ABSENT.iter().map(|key| (*key, 0));
    let summary: BTreeMap<_, _> = used
        .into_iter()
        .chain(quotas)
        .chain(absent)
        .map(|(key, value)| (key.to_string(), i32::try_from(value).unwrap_or(i32::MAX)))
        .collect();
    Ok(GetAccountSummaryResponse { summary_map: Some(summary) })
}

/// What may exist at most.
const QUOTAS: [(Key, usize); 21] = [
    (Key::UsersQuota, quotas::USERS),
    (Key::GroupsQuota, 300),
    (Key::RolesQuota, quotas::ROLES),
    (Key::PoliciesQuota, quotas::POLICIES),
    (Key::InstanceProfilesQuota, 1_000),
    (Key::ServerCertificatesQuota, 20),
    (Key::PolicySizeQuota, quotas::POLICY_CHARS),
    (Key::UserPolicySizeQuota, quotas::USER_INLINE_CHARS),
    (Key::GroupPolicySizeQuota, 5_120),
    (Key::RolePolicySizeQuota, quotas::ROLE_INLINE_CHARS),
    (Key::AssumeRolePolicySizeQuota, quotas::TRUST_POLICY_CHARS),
    (Key::GroupsPerUserQuota, 10),
    (Key::AccessKeysPerUserQuota, quotas::ACCESS_KEYS),
    (Key::SigningCertificatesPerUserQuota, 2),
    (Key::AttachedPoliciesPerGroupQuota, 10),
    (Key::AttachedPoliciesPerRoleQuota, quotas::ATTACHED_POLICIES),
    (Key::AttachedPoliciesPerUserQuota, quotas::ATTACHED_POLICIES),
    (Key::PolicyVersionsInUseQuota, 10_000),
    (Key::VersionsPerPolicyQuota, quotas::POLICY_VERSIONS),
    // Tokens of AWS's global endpoint work in the regions that are on by default; Hearth's work in all of them.
    (Key::GlobalEndpointTokenVersion, 2),
    // Whoever holds the account needs no key of IAM's.
    (Key::AccountAccessKeysPresent, 0),
];

/// What Hearth has no way to create.
const ABSENT: [Key; 8] = [
    Key::Groups,
    Key::InstanceProfiles,
    Key::ServerCertificates,
    Key::MFADevices,
    Key::MFADevicesInUse,
    Key::AccountMFAEnabled,
    Key::AccountSigningCertificatesPresent,
    Key::Providers,
];

fn used(snapshot: &Snapshot<'_>, cx: &Context) -> Result<Vec<(Key, usize)>, Failure> {
    let account = &cx.scope.account;
    let policies = snapshot.scan(&POLICIES, &Scan::prefix((account,)))?;
    let versions = policies.iter().map(|(_, policy)| policy.versions.len()).sum();
    Ok(vec![
        (Key::Users, snapshot.count(&USERS, &Scan::prefix((account,)))?),
        (Key::Roles, snapshot.count(&ROLES, &Scan::prefix((account,)))?),
        (Key::Policies, policies.len()),
        (Key::PolicyVersionsInUse, versions),
    ])
}

#[cfg(test)]
#[path = "account_summary_tests.rs"]
mod tests;
