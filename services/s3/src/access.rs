//! Who may do what to buckets and objects: asked before any of an object's bytes are read.
//!
//! Both sides count: the caller's own policies, which IAM knows, and the bucket's policy and lists of access, under what is
//! blocked of the public. Unless the server demands signatures, every caller may do everything with what its own account
//! has, whoever did not sign is the account itself, and only what buckets say is evaluated.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-auth-workflow-bucket-operation.html>

pub(crate) mod actions;
mod decide;
mod keys;
mod needs;
mod target;

use domain::Principal;
use http::Uri;
use policy::{Caller, Context, Document};
use s3s::S3ErrorCode;
use store::Snapshot;

use self::decide::{Asked, Sides, Verdict, decide};
use self::needs::Need;
pub(crate) use self::target::Target;
use crate::call::Call;
use crate::configuration::ownership::{self, Ownership};
use crate::configuration::{acl, policy as of_bucket, public_access};
use crate::error::{self, Refusal, access_denied, custom, denied};
use crate::record::{BUCKETS, Bucket, Version};
use crate::{S3, buckets, objects};

/// Who a caller is to policies.
pub struct Identity {
    /// All its names.
    pub caller: Caller,
    /// Its own policies; none if they are not evaluated, and everything is allowed to it.
    pub policies: Option<Vec<Document>>,
    /// What conditions may ask about it.
    pub keys: Context,
}

/// Asks who a caller is. A service error is all that can go wrong.
pub type Identify = Box<dyn Fn(&Principal) -> Result<Identity, wire::Error> + Send + Sync>;

const EXPECTED_OWNER: &str = "x-amz-expected-bucket-owner";
const SOURCE_EXPECTED_OWNER: &str = "x-amz-source-expected-bucket-owner";

/// Lets a call in, or refuses it in S3's words.
pub(crate) fn admit(s3: &S3, call: &Call, operation: &str, uri: &Uri) -> Result<(), Refusal> {
    admit_to(s3, call, operation, &Target::of(uri))
}

/// Lets a call in that is about something else than its path says.
pub(crate) fn admit_to(s3: &S3, call: &Call, operation: &str, target: &Target) -> Result<(), Refusal> {
    for need in needs::of(operation, target, &call.context.headers)? {
        check(s3, call, target, &need)?;
    }
    Ok(())
}

/// Whether a caller may do something to a bucket that is yet to come.
pub(crate) fn admit_to_new(s3: &S3, call: &Call, action: &str, bucket: &str) -> Result<(), Refusal> {
    let target = Target { bucket: Some(bucket.to_owned()), key: None, query: Vec::new() };
    check(s3, call, &target, &Need { is_new: true, ..Need::new(action.to_owned(), &target) })
}

/// Whether a caller may do something to an object.
pub(crate) fn admit_object(
    s3: &S3,
    call: &Call,
    action: &str,
    at: (&str, &str, Option<&str>),
) -> Result<(), Refusal> {
    let (bucket, key, version) = at;
    let target = Target {
        bucket: Some(bucket.to_owned()),
        key: Some(key.to_owned()),
        query: version.map(|id| ("versionId".to_owned(), id.to_owned())).into_iter().collect(),
    };
    check(s3, call, &target, &Need::new(action.to_owned(), &target))
}

/// A missing object is a secret to whoever may not list the bucket.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
pub(crate) fn hide(s3: &S3, call: &Call, uri: &Uri, refusal: Refusal) -> Refusal {
    let target = Target::of(uri);
    match &target.bucket {
        Some(bucket) => hide_in(s3, call, bucket, refusal),
        None => refusal,
    }
}

/// The same, by the bucket's name.
pub(crate) fn hide_in(s3: &S3, call: &Call, bucket: &str, refusal: Refusal) -> Refusal {
    if !matches!(refusal.0.code(), S3ErrorCode::NoSuchKey) {
        return refusal;
    }
    let target = Target { bucket: Some(bucket.to_owned()), key: None, query: Vec::new() };
    match check(s3, call, &target, &Need::new("s3:ListBucket".to_owned(), &target)) {
        Ok(()) => refusal,
        Err(_) => access_denied(),
    }
}

fn check(s3: &S3, call: &Call, target: &Target, need: &Need) -> Result<(), Refusal> {
    let Some(name) = need.bucket.as_deref().filter(|_| !need.is_new) else {
        return check_identity(s3, call, need);
    };
    let (bucket, of_bucket) = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, name)?;
        let policy = of_bucket::text(snapshot, name)?;
        Ok((bucket, policy))
    })?;
    expect(call, &bucket, need.is_source)?;
    let anonymous = call.is_anonymous();
    let is_root = matches!(call.context.principal, Principal::Root(_)) && !anonymous;
    if is_root && *call.account() == bucket.owner && of_bucket.is_none() && need.key.is_none() {
        return Ok(());
    }
    let lists = s3.read(|snapshot| Lists::of(snapshot, &bucket, need, of_bucket.as_deref()))?;
    if is_root && *call.account() == bucket.owner && of_bucket.is_none() && lists.owner == bucket.owner {
        return Ok(());
    }
    let identity = identify(s3, call, anonymous)?;
    let keys = keys::of(identity.keys.clone(), call, target, need, &bucket, lists.version.as_ref());
    let policy = of_bucket.as_deref().map(of_bucket::parse).transpose()?;
    let resource = need.arn();
    let verdict = decide(
        &Asked { caller: &identity.caller, action: &need.action, resource: &resource, keys: &keys },
        &Sides {
            identity: identity.policies.as_deref(),
            policy: policy.as_ref(),
            policy_is_public: lists.policy_is_public,
            bucket_owner: bucket.owner.as_str(),
            owner: lists.owner.as_str(),
            acl: lists.acl.as_ref(),
            blocked: lists.blocked,
        },
    );
    match verdict {
        Verdict::Allowed => Ok(()),
        // What others have, S3 says nothing of.
        _ if anonymous || *call.account() != bucket.owner => Err(access_denied()),
        refused => {
            Err(denied(&call.context.principal.arn(), &need.action, &resource, &refused.why(&need.action)))
        }
    }
}

/// What of a bucket has a say.
struct Lists {
    version: Option<Version>,
    owner: domain::Account,
    acl: Option<acl::Acl>,
    blocked: public_access::Blocked,
    policy_is_public: bool,
}

impl Lists {
    fn of(
        snapshot: &Snapshot<'_>,
        bucket: &Bucket,
        need: &Need,
        policy: Option<&str>,
    ) -> Result<Self, Refusal> {
        let ownership = ownership::of(snapshot, &bucket.name)?;
        let has_lists = ownership != Ownership::BucketOwnerEnforced;
        // Enforced, and no condition that asks for tags: the object has no say.
        let version = match &need.key {
            Some(key) if has_lists || policy.is_some() => {
                let found = match &need.version {
                    None => objects::current(snapshot, &bucket.name, key)?,
                    // An id that is none is refused by who looks for the version.
                    Some(id) => objects::version(snapshot, &bucket.name, key, id).unwrap_or_default(),
                };
                found.map(|(_, version)| version)
            }
            _ => None,
        };
        let of_object = need.is_of_object();
        let owner = match &version {
            Some(version) if has_lists && of_object => version.owner.clone(),
            _ => bucket.owner.clone(),
        };
        let acl = match (has_lists, of_object, &version) {
            (false, ..) => None,
            (true, false, _) => Some(acl::of(snapshot, bucket)?),
            (true, true, None) => None,
            (true, true, Some(version)) => {
                let document = version.object.as_ref().and_then(|object| object.acl.as_deref());
                Some(match document {
                    Some(document) => acl::Acl::read(document)?,
                    None => acl::Acl::private(&version.owner),
                })
            }
        };
        Ok(Self {
            version,
            owner,
            acl,
            blocked: public_access::blocked(snapshot, &bucket.name)?,
            policy_is_public: policy.is_some_and(of_bucket::is_public),
        })
    }
}

/// What no bucket has a say in.
fn check_identity(s3: &S3, call: &Call, need: &Need) -> Result<(), Refusal> {
    if call.is_anonymous() {
        return Err(access_denied());
    }
    let identity = identify(s3, call, false)?;
    let target = Target { bucket: need.bucket.clone(), key: None, query: Vec::new() };
    let keys = keys::of_request(identity.keys.clone(), call, &target, need);
    let resource = need.arn();
    let account = call.account().as_str();
    let verdict = decide(
        &Asked { caller: &identity.caller, action: &need.action, resource: &resource, keys: &keys },
        &Sides {
            identity: identity.policies.as_deref(),
            policy: None,
            policy_is_public: false,
            bucket_owner: account,
            owner: account,
            acl: None,
            blocked: public_access::Blocked::default(),
        },
    );
    match verdict {
        Verdict::Allowed => Ok(()),
        refused => {
            Err(denied(&call.context.principal.arn(), &need.action, &resource, &refused.why(&need.action)))
        }
    }
}

fn identify(s3: &S3, call: &Call, anonymous: bool) -> Result<Identity, Refusal> {
    if anonymous {
        let keys = Context::new().with("aws:PrincipalType", "Anonymous");
        return Ok(Identity { caller: Caller::Anonymous, policies: Some(Vec::new()), keys });
    }
    (s3.identify)(&call.context.principal).map_err(|error| {
        tracing::error!(?error, "a caller's policies could not be read");
        error::internal()
    })
}

/// Refuses a call that expects another owner of a bucket than it has.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
fn expect(call: &Call, bucket: &Bucket, is_source: bool) -> Result<(), Refusal> {
    let header = if is_source { SOURCE_EXPECTED_OWNER } else { EXPECTED_OWNER };
    let Some(expected) = call.context.headers.get(header).and_then(|value| value.to_str().ok()) else {
        return Ok(());
    };
    if domain::Account::parse(expected).is_none() {
        return Err(custom(
            "InvalidBucketOwnerAWSAccountID",
            http::StatusCode::BAD_REQUEST,
            "The value of the expected bucket owner parameter must be an AWS account ID",
        ));
    }
    if expected == bucket.owner.as_str() { Ok(()) } else { Err(access_denied()) }
}

/// The region of a bucket, if there is one of this name.
pub(crate) fn region(s3: &S3, name: &str) -> Result<Option<domain::Region>, Refusal> {
    s3.read(|snapshot| Ok(snapshot.get(&BUCKETS, name)?.map(|bucket| bucket.region)))
}
