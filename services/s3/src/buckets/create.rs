//! CreateBucket.

use domain::Region;
use s3s::dto::{CreateBucketInput, CreateBucketOutput, Tag, Tagging};
use s3s::{S3ErrorCode, S3Response};
use store::Tx;

use crate::S3;
use crate::access;
use crate::call::Call;
use crate::configuration::acl::{self, Acl};
use crate::configuration::ownership::{self, Ownership};
use crate::configuration::{self, public_access, tagging};
use crate::error::{self, Refusal, refuse};
use crate::record::{BUCKETS, Bucket, Versioning};

/// The region that has no location constraint.
const FIRST_REGION: &str = "us-east-1";

pub(crate) async fn create(
    s3: &S3,
    call: &Call,
    input: CreateBucketInput,
) -> Result<S3Response<CreateBucketOutput>, Refusal> {
    super::check_new_name(&input.bucket)?;
    if !call.new_tags.is_empty() {
        access::admit_to_new(s3, call, "s3:TagResource", &input.bucket)?;
    }
    let settings = Settings::of(call, &input)?;
    if input.create_bucket_configuration.as_ref().is_some_and(|c| c.bucket.is_some() || c.location.is_some())
    {
        return Err(error::not_implemented("directory buckets"));
    }
    let wanted =
        input.create_bucket_configuration.and_then(|c| c.location_constraint).map(|c| c.as_str().to_owned());
    let region = region(wanted.as_deref(), &call.context.scope.region)?;
    let object_lock = input.object_lock_enabled_for_bucket == Some(true);
    let bucket = Bucket {
        name: input.bucket.clone(),
        owner: call.account().clone(),
        region,
        created: s3.now(),
        versioning: object_lock.then_some(Versioning::Enabled),
        object_lock,
    };
    let location = format!("/{}", input.bucket);
    s3.write(move |tx| {
        match tx.get(&BUCKETS, bucket.name.as_str())? {
            // What S3 in us-east-1 has always done of a bucket there; other regions refuse.
            Some(found)
                if found.owner == bucket.owner
                    && found.region == bucket.region
                    && found.region.as_str() == FIRST_REGION =>
            {
                Ok(())
            }
            Some(found) if found.owner == bucket.owner => Err(refuse(
                S3ErrorCode::BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own it.",
            )),
            Some(_) => Err(refuse(
                S3ErrorCode::BucketAlreadyExists,
                "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                 system. Please select a different name and try again.",
            )),
            None => {
                tx.put(&BUCKETS, bucket.name.as_str(), &bucket)?;
                settings.write(tx, &bucket.name)
            }
        }
    })
    .await?;
    Ok(S3Response::new(CreateBucketOutput { location: Some(location) }))
}

/// What a bucket has from its first moment.
struct Settings {
    ownership: Ownership,
    acl: Option<Acl>,
    tags: Vec<Tag>,
}

impl Settings {
    fn of(call: &Call, input: &CreateBucketInput) -> Result<Self, Refusal> {
        let ownership = match &input.object_ownership {
            None => Ownership::BucketOwnerEnforced,
            Some(name) => Ownership::parse(name.as_str()).ok_or_else(|| {
                error::invalid_argument("Invalid x-amz-object-ownership header: ")
                    .with("ArgumentName", "x-amz-object-ownership")
                    .with("ArgumentValue", name.as_str())
            })?,
        };
        let headers = acl::Headers {
            full_control: input.grant_full_control.clone(),
            read: input.grant_read.clone(),
            read_acp: input.grant_read_acp.clone(),
            write: input.grant_write.clone(),
            write_acp: input.grant_write_acp.clone(),
        };
        let acl = match (&input.acl, headers.grants()?) {
            (Some(_), Some(_)) => {
                return Err(error::invalid_request(
                    "Specifying both Canned ACLs and Header Grants is not allowed",
                ));
            }
            (Some(canned), None) => Some(acl::canned_bucket(canned.as_str(), call.account())?),
            (None, Some(grants)) => Some(Acl { owner: super::canonical_id(call.account()), grants }),
            (None, None) => None,
        };
        if let Some(acl) = &acl {
            if ownership == Ownership::BucketOwnerEnforced && acl.is_shared() {
                return Err(acl::owner_enforced());
            }
            // A new bucket blocks the public.
            if acl.is_public() {
                return Err(error::custom(
                    "InvalidBucketAclWithBlockPublicAccessError",
                    http::StatusCode::BAD_REQUEST,
                    "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
                ));
            }
        }
        Ok(Self { ownership, acl, tags: call.new_tags.clone() })
    }

    fn write(&self, tx: &mut Tx<'_>, bucket: &str) -> Result<(), Refusal> {
        configuration::write(tx, bucket, ownership::KIND, &self.ownership.document())?;
        configuration::write(tx, bucket, public_access::KIND, &public_access::everything())?;
        if !self.tags.is_empty() {
            let tagging = Tagging { tag_set: self.tags.clone() };
            configuration::write(tx, bucket, tagging::KIND, &tagging)?;
        }
        match &self.acl {
            Some(acl) if acl.is_shared() => configuration::write(tx, bucket, acl::KIND, &acl.document()),
            _ => Ok(()),
        }
    }
}

/// Where the bucket will be: where it is asked for, if that is where the request was sent.
fn region(wanted: Option<&str>, asked_in: &Region) -> Result<Region, Refusal> {
    let unlawful = |constraint: &str| {
        refuse(
            S3ErrorCode::IllegalLocationConstraintException,
            format!(
                "The {constraint} location constraint is incompatible for the region specific endpoint this request \
                 was sent to."
            ),
        )
    };
    match wanted {
        None | Some("") if asked_in.as_str() == FIRST_REGION => Ok(asked_in.clone()),
        None | Some("") => Err(unlawful("unspecified")),
        Some(FIRST_REGION) => Err(refuse(
            S3ErrorCode::InvalidLocationConstraint,
            "The specified location-constraint is not valid",
        )),
        // The oldest name of a region.
        Some("EU") => Region::parse("eu-west-1").ok_or_else(error::internal),
        Some(wanted) => match Region::parse(wanted) {
            // us-east-1 was once the endpoint of all regions, and still makes buckets anywhere.
            Some(region) if *asked_in == region || asked_in.as_str() == FIRST_REGION => Ok(region),
            Some(_) => Err(unlawful(wanted)),
            None => Err(refuse(
                S3ErrorCode::InvalidLocationConstraint,
                "The specified location-constraint is not valid",
            )),
        },
    }
}
