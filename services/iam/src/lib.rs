//! IAM: roles, users, policies and access keys; and the credentials of sessions.
//!
//! IAM is global, so records belong to an account. Policies are stored to the letter; the module `access` knows which
//! of them somebody has, and the crate `policy` what they allow.
//!
//! For the rest of Hearth, [`Iam`] answers which role an ARN names, whether Lambda may assume it, what its policies
//! allow, whose an access key is, and mints credentials for a role.

mod access;
mod access_keys;
mod account_summary;
mod attachments;
mod credentials;
mod error;
mod guard;
mod id;
mod inline_policies;
mod managed;
mod owners;
mod page;
mod policies;
mod policy_document;
mod policy_versions;
mod quotas;
mod record;
pub mod roles;
pub mod shapes;
mod tags;
mod users;

#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Account, Clock, Credentials, Principal, Timestamp};
use store::{Snapshot, Store, Tx};
use wire::{Error, Service};

pub use access::{RoleDeed, arn_of};
pub use credentials::{SessionError, Sessions};
pub use guard::Asked;
pub use id::{account_of_key, service_id};
pub use record::{Role, Tag};

use error::Failure;
use policy::{Caller, Grant};

const ASSUME_ROLE: &str = "sts:AssumeRole";

/// The service and its records. A cheap handle.
#[derive(Clone)]
pub struct Iam(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    sessions: Sessions,
    /// Whether callers' own policies decide what they may do.
    enforces: bool,
}

/// The service's operations.
pub fn service(iam: Iam) -> Service {
    let guarded = iam.clone();
    Service::new(&shapes::SERVICE, iam)
        .on::<shapes::CreateRole>(roles::create_role)
        .on::<shapes::GetRole>(roles::get_role)
        .on::<shapes::ListRoles>(roles::list_roles)
        .on::<shapes::UpdateRole>(roles::update_role)
        .on::<shapes::UpdateRoleDescription>(roles::update_role_description)
        .on::<shapes::UpdateAssumeRolePolicy>(roles::update_assume_role_policy)
        .on::<shapes::DeleteRole>(roles::delete_role)
        .on::<shapes::TagRole>(roles::tag_role)
        .on::<shapes::UntagRole>(roles::untag_role)
        .on::<shapes::ListRoleTags>(roles::list_role_tags)
        .on::<shapes::ListInstanceProfilesForRole>(roles::list_instance_profiles_for_role)
        .on::<shapes::CreateUser>(users::create_user)
        .on::<shapes::GetUser>(users::get_user)
        .on::<shapes::ListUsers>(users::list_users)
        .on::<shapes::UpdateUser>(users::update_user)
        .on::<shapes::DeleteUser>(users::delete_user)
        .on::<shapes::TagUser>(users::tag_user)
        .on::<shapes::UntagUser>(users::untag_user)
        .on::<shapes::ListUserTags>(users::list_user_tags)
        .on::<shapes::PutRolePolicy>(inline_policies::put_role_policy)
        .on::<shapes::GetRolePolicy>(inline_policies::get_role_policy)
        .on::<shapes::ListRolePolicies>(inline_policies::list_role_policies)
        .on::<shapes::DeleteRolePolicy>(inline_policies::delete_role_policy)
        .on::<shapes::PutUserPolicy>(inline_policies::put_user_policy)
        .on::<shapes::GetUserPolicy>(inline_policies::get_user_policy)
        .on::<shapes::ListUserPolicies>(inline_policies::list_user_policies)
        .on::<shapes::DeleteUserPolicy>(inline_policies::delete_user_policy)
        .on::<shapes::AttachRolePolicy>(attachments::attach_role_policy)
        .on::<shapes::DetachRolePolicy>(attachments::detach_role_policy)
        .on::<shapes::ListAttachedRolePolicies>(attachments::list_attached_role_policies)
        .on::<shapes::AttachUserPolicy>(attachments::attach_user_policy)
        .on::<shapes::DetachUserPolicy>(attachments::detach_user_policy)
        .on::<shapes::ListAttachedUserPolicies>(attachments::list_attached_user_policies)
        .on::<shapes::ListEntitiesForPolicy>(attachments::list_entities_for_policy)
        .on::<shapes::CreatePolicy>(policies::create_policy)
        .on::<shapes::GetPolicy>(policies::get_policy)
        .on::<shapes::ListPolicies>(policies::list_policies)
        .on::<shapes::DeletePolicy>(policies::delete_policy)
        .on::<shapes::TagPolicy>(policies::tag_policy)
        .on::<shapes::UntagPolicy>(policies::untag_policy)
        .on::<shapes::ListPolicyTags>(policies::list_policy_tags)
        .on::<shapes::CreatePolicyVersion>(policy_versions::create_policy_version)
        .on::<shapes::GetPolicyVersion>(policy_versions::get_policy_version)
        .on::<shapes::ListPolicyVersions>(policy_versions::list_policy_versions)
        .on::<shapes::DeletePolicyVersion>(policy_versions::delete_policy_version)
        .on::<shapes::SetDefaultPolicyVersion>(policy_versions::set_default_policy_version)
        .on::<shapes::CreateAccessKey>(access_keys::create_access_key)
        .on::<shapes::ListAccessKeys>(access_keys::list_access_keys)
        .on::<shapes::UpdateAccessKey>(access_keys::update_access_key)
        .on::<shapes::DeleteAccessKey>(access_keys::delete_access_key)
        .on::<shapes::GetAccessKeyLastUsed>(access_keys::get_access_key_last_used)
        .on::<shapes::GetAccountSummary>(account_summary::get_account_summary)
        .build()
        .guarded(move |cx, operation, fields| guard::guard(&guarded, cx, operation, fields))
}

impl Iam {
    /// The store's secret signs session tokens: whoever knows it can act as any role.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        let sessions = Sessions::new(store.server_secret());
        Self(Arc::new(Inner { store, clock, sessions, enforces: false }))
    }

    /// The same, where callers prove who they are and may do what their own policies allow.
    pub fn enforcing(store: Store, clock: Arc<dyn Clock>) -> Self {
        let sessions = Sessions::new(store.server_secret());
        Self(Arc::new(Inner { store, clock, sessions, enforces: true }))
    }

    /// The role of an account with this name, or with exactly this ARN.
    pub fn role(&self, account: &Account, name_or_arn: &str) -> Result<Option<Role>, Error> {
        let name = name_or_arn.rsplit('/').next().unwrap_or_default();
        let role = self.read(|snapshot| Ok(snapshot.get(&record::ROLES, (account, record::key(name)))?))?;
        Ok(role.filter(|role| !name_or_arn.starts_with("arn:") || role.arn == name_or_arn))
    }

    /// Whether the role with this ARN exists and its trust policy lets a service assume it. Conditions are not looked
    /// at: what they ask about is known only when it is assumed.
    pub fn assumable_by_service(&self, role_arn: &str, service: &str) -> bool {
        let service = Caller::Service(service.to_owned());
        let permits =
            |role: Role| access::permits(&role.trust_policy, &role.arn, &service, &policy::Context::open());
        // The store's failure is logged where it is turned into an error.
        self.role_with_arn(role_arn).ok().flatten().is_some_and(permits)
    }

    /// Whether the role's trust policy lets a caller assume it, with the condition keys of the request.
    pub fn assumable_by(
        &self,
        role: &Role,
        caller: &Principal,
        conditions: &BTreeMap<&str, String>,
    ) -> Result<bool, Error> {
        let context = (conditions.iter())
            .fold(policy::Context::new(), |context, (key, value)| context.with(key, value));
        let names = self.caller(caller)?;
        let of_identity = self.identity_grant(caller, &names, ASSUME_ROLE, &role.arn, |keys| keys)?;
        let owner = account_of_arn(&role.arn);
        let is_own = owner.as_ref() == Some(caller.account());
        Ok(match access::trust(&role.trust_policy, &role.arn, &names, &context) {
            Grant::Denied | Grant::None => false,
            // Who is named itself needs nothing else, in one account.
            Grant::ToCaller if is_own => of_identity != Grant::Denied,
            Grant::ToCaller | Grant::ToAccount => of_identity == Grant::ToCaller,
        })
    }

    /// The secret of a user's active access key, and who the user is. Asked on every request: dummy keys, which
    /// development uses, cost no look at the store; the others three reads of its cache, so that a key that was
    /// deleted or made inactive is worth nothing from that moment.
    pub fn access_key(&self, access_key_id: &str) -> Option<(String, Principal)> {
        if !access_key_id.starts_with("AKIA") {
            return None;
        }
        self.read(|snapshot| access_keys::lookup(snapshot, access_key_id)).ok().flatten()
    }

    /// Mints and verifies session credentials.
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// The id of the role with this ARN, or one that no role has if there is none.
    pub fn role_id(&self, role_arn: &str) -> String {
        match self.role_with_arn(role_arn) {
            Ok(Some(role)) => role.id,
            Ok(None) | Err(_) => id::absent_role(role_arn),
        }
    }

    /// Credentials of a function's session of its role, made without a write; the session has the function's name. A
    /// role that does not exist (any more, or under `--roles any` ever) gives it an id of its own, that no role has.
    pub fn mint_for_function(&self, role_arn: &str, function_arn: &str, expires: Timestamp) -> Credentials {
        let (role, role_id) = match self.role_with_arn(role_arn) {
            Ok(Some(role)) => (role.name, role.id),
            Ok(None) | Err(_) => {
                let name = role_arn.rsplit('/').next().unwrap_or_default();
                (name.to_owned(), id::absent_role(role_arn))
            }
        };
        let session = function_arn.rsplit(':').next().unwrap_or_default().to_owned();
        let source_function = Some(function_arn.to_owned());
        let account = account_of_arn(role_arn).unwrap_or_default();
        let principal = Principal::AssumedRole { account, role, role_id, session, source_function };
        self.0.sessions.mint(principal, expires)
    }

    /// The time of day in whole seconds, as all of IAM's and STS's moments are.
    pub fn now(&self) -> Timestamp {
        let now = self.0.clock.now();
        Timestamp(now.0 - now.0.rem_euclid(1_000))
    }

    fn role_with_arn(&self, arn: &str) -> Result<Option<Role>, Error> {
        account_of_arn(arn).map_or(Ok(None), |account| self.role(&account, arn))
    }

    fn read<T>(&self, read: impl FnOnce(&Snapshot<'_>) -> Result<T, Failure>) -> Result<T, Error> {
        Ok(self.0.store.read(read)?)
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        Ok(self.0.store.write(write).await?)
    }
}

fn account_of_arn(arn: &str) -> Option<Account> {
    arn.split(':').nth(4).and_then(Account::parse)
}

/// A parameter that would change what is allowed, and that nothing honours yet: refused, so that nobody relies on it.
fn unsupported(parameter: &str) -> Error {
    Error::new("NotImplemented", format!("Hearth does not support {parameter} yet. Leave it out."))
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
