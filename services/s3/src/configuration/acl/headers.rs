//! Lists in headers: by a name for a usual one, or grant by grant.

use domain::Account;
use s3s::dto::{BucketCannedACL, ObjectCannedACL};

use super::{ALL_USERS, AUTHENTICATED_USERS, Acl, LOG_DELIVERY, What, Who, account, by_email, group};
use crate::buckets::canonical_id;
use crate::error::{Refusal, invalid_argument};

/// `x-amz-grant-*`
pub(crate) struct Headers {
    pub(crate) full_control: Option<String>,
    pub(crate) read: Option<String>,
    pub(crate) read_acp: Option<String>,
    pub(crate) write: Option<String>,
    pub(crate) write_acp: Option<String>,
}

impl Headers {
    /// What they grant; nothing if there are none.
    pub(crate) fn grants(&self) -> Result<Option<Vec<(Who, What)>>, Refusal> {
        let given = [
            (&self.full_control, What::FullControl),
            (&self.read, What::Read),
            (&self.read_acp, What::ReadAcp),
            (&self.write, What::Write),
            (&self.write_acp, What::WriteAcp),
        ];
        let mut grants = None;
        for (header, what) in given {
            let Some(header) = header else { continue };
            let list = grants.get_or_insert_with(Vec::new);
            for grantee in header.split(',') {
                list.push((who(grantee.trim())?, what));
            }
        }
        Ok(grants)
    }
}

/// `id="…"`, `uri="…"` or `emailAddress="…"`
fn who(grantee: &str) -> Result<Who, Refusal> {
    let invalid = || invalid_argument("Argument format not recognized").with("ArgumentValue", grantee);
    let (kind, value) = grantee.split_once('=').ok_or_else(invalid)?;
    let value = value.trim().trim_matches('"');
    match kind.trim() {
        "id" => account(value),
        "uri" => group(value),
        "emailAddress" => Err(by_email()),
        _ => Err(invalid()),
    }
}

/// A canned list of a bucket. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl>
pub(crate) fn canned_bucket(name: &str, owner: &Account) -> Result<Acl, Refusal> {
    let everybody = |what| (Who::Group(ALL_USERS.to_owned()), what);
    let more = match name {
        // The latter two are of objects, and mean nothing for a bucket.
        BucketCannedACL::PRIVATE | "bucket-owner-read" | "bucket-owner-full-control" => vec![],
        BucketCannedACL::PUBLIC_READ => vec![everybody(What::Read)],
        BucketCannedACL::PUBLIC_READ_WRITE => vec![everybody(What::Read), everybody(What::Write)],
        BucketCannedACL::AUTHENTICATED_READ => {
            vec![(Who::Group(AUTHENTICATED_USERS.to_owned()), What::Read)]
        }
        "log-delivery-write" => {
            let logs = || Who::Group(LOG_DELIVERY.to_owned());
            vec![(logs(), What::Write), (logs(), What::ReadAcp)]
        }
        _ => {
            return Err(invalid_argument("").with("ArgumentName", "x-amz-acl").with("ArgumentValue", name));
        }
    };
    let mut acl = Acl::private(owner);
    acl.grants.extend(more);
    Ok(acl)
}

/// Who may read what an object with `aws-exec-read` holds: EC2.
const EC2: &str = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c";

/// A canned list of an object.
pub(crate) fn canned_object(name: &str, owner: &Account, of_bucket: &Account) -> Result<Acl, Refusal> {
    let group = |uri: &str, what| (Who::Group(uri.to_owned()), what);
    let bucket_owner = |what| (Who::Account(canonical_id(of_bucket)), what);
    let more = match name {
        ObjectCannedACL::PRIVATE => vec![],
        ObjectCannedACL::PUBLIC_READ => vec![group(ALL_USERS, What::Read)],
        ObjectCannedACL::PUBLIC_READ_WRITE => {
            vec![group(ALL_USERS, What::Read), group(ALL_USERS, What::Write)]
        }
        ObjectCannedACL::AUTHENTICATED_READ => vec![group(AUTHENTICATED_USERS, What::Read)],
        ObjectCannedACL::AWS_EXEC_READ => vec![(Who::Account(EC2.to_owned()), What::Read)],
        ObjectCannedACL::BUCKET_OWNER_READ => vec![bucket_owner(What::Read)],
        ObjectCannedACL::BUCKET_OWNER_FULL_CONTROL => vec![bucket_owner(What::FullControl)],
        _ => {
            return Err(invalid_argument("").with("ArgumentName", "x-amz-acl").with("ArgumentValue", name));
        }
    };
    let mut acl = Acl::private(owner);
    // The bucket's owner has everything of what is its own.
    let news = more.into_iter().filter(|(who, _)| *who != Who::Account(canonical_id(owner)));
    acl.grants.extend(news);
    Ok(acl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_name_several_grantees() {
        let one = "a".repeat(64);
        let headers = Headers {
            full_control: None,
            read: Some(format!("id=\"{one}\", uri=\"{ALL_USERS}\"")),
            read_acp: None,
            write: None,
            write_acp: Some(format!("id={one}")),
        };
        let grants = headers.grants().unwrap().unwrap();
        let expected = [
            (Who::Account(one.clone()), What::Read),
            (Who::Group(ALL_USERS.into()), What::Read),
            (Who::Account(one), What::WriteAcp),
        ];
        assert_eq!(grants, expected);
        assert!(who("name=x").is_err() && who("x").is_err());
    }
}
