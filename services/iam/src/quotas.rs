//! IAM's quotas. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>

/// Roles in an account.
pub(crate) const ROLES: usize = 1_000;
/// Users in an account.
pub(crate) const USERS: usize = 5_000;
/// Customer managed policies in an account.
pub(crate) const POLICIES: usize = 1_500;
/// Versions of a managed policy.
pub(crate) const POLICY_VERSIONS: usize = 5;
/// Managed policies attached to a role, or to a user.
pub(crate) const ATTACHED_POLICIES: usize = 10;
/// Access keys of a user.
pub(crate) const ACCESS_KEYS: usize = 2;
/// Characters of a managed policy, white space not counted.
pub(crate) const POLICY_CHARS: usize = 6_144;
/// Characters of a trust policy.
pub(crate) const TRUST_POLICY_CHARS: usize = 2_048;
/// Characters of all inline policies of a role.
pub(crate) const ROLE_INLINE_CHARS: usize = 10_240;
/// Characters of all inline policies of a user.
pub(crate) const USER_INLINE_CHARS: usize = 2_048;
