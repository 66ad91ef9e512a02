//! PutBucketPolicy, GetBucketPolicy, DeleteBucketPolicy, GetBucketPolicyStatus. What a policy allows is asked in
//! [`crate::access`].

mod check;
mod public;

use policy::{Document, Kind};
use s3s::S3Response;
use s3s::dto::{
    DeleteBucketPolicyInput, DeleteBucketPolicyOutput, GetBucketPolicyInput, GetBucketPolicyOutput,
    GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput, PolicyStatus, PutBucketPolicyInput,
    PutBucketPolicyOutput,
};
use serde_json::Value;
use store::Snapshot;

use super::no_content;
use super::public_access::blocked;
use crate::call::Call;
use crate::error::{self, Refusal, access_denied, not_found};
use crate::record::CONFIGURATIONS;
use crate::{S3, buckets};

/// The value is the JSON that was put, to the letter.
pub(crate) const KIND: &str = "policy";

pub(crate) async fn put(
    s3: &S3,
    call: &Call,
    input: PutBucketPolicyInput,
) -> Result<S3Response<PutBucketPolicyOutput>, Refusal> {
    let is_public = public::is_public(&check::check(&input.policy, &input.bucket)?);
    let who = call.context.principal.arn();
    s3.write(move |tx| {
        buckets::find(tx, &input.bucket)?;
        if is_public && blocked(tx, &input.bucket)?.new_policy {
            return Err(error::denied(
                &who,
                "s3:PutBucketPolicy",
                &buckets::arn(&input.bucket),
                "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access",
            ));
        }
        Ok(tx.put(&CONFIGURATIONS, (input.bucket.as_str(), KIND), &input.policy)?)
    })
    .await?;
    Ok(no_content(PutBucketPolicyOutput {}))
}

pub(crate) async fn get(
    s3: &S3,
    _: &Call,
    input: GetBucketPolicyInput,
) -> Result<S3Response<GetBucketPolicyOutput>, Refusal> {
    let policy = find(s3, &input.bucket)?;
    Ok(S3Response::new(GetBucketPolicyOutput { policy: Some(policy) }))
}

pub(crate) async fn delete(
    s3: &S3,
    _: &Call,
    input: DeleteBucketPolicyInput,
) -> Result<S3Response<DeleteBucketPolicyOutput>, Refusal> {
    super::clear(s3, input.bucket, KIND).await?;
    Ok(no_content(DeleteBucketPolicyOutput {}))
}

pub(crate) async fn status(
    s3: &S3,
    _: &Call,
    input: GetBucketPolicyStatusInput,
) -> Result<S3Response<GetBucketPolicyStatusOutput>, Refusal> {
    let policy = find(s3, &input.bucket)?;
    let policy_status = Some(PolicyStatus { is_public: Some(is_public(&policy)) });
    Ok(S3Response::new(GetBucketPolicyStatusOutput { policy_status }))
}

fn find(s3: &S3, bucket: &str) -> Result<String, Refusal> {
    s3.read(|snapshot| {
        buckets::find(snapshot, bucket)?;
        text(snapshot, bucket)
    })?
    .ok_or_else(|| not_found("NoSuchBucketPolicy", "The bucket policy does not exist", bucket))
}

/// A bucket's policy as it was put.
pub(crate) fn text(snapshot: &Snapshot<'_>, bucket: &str) -> Result<Option<String>, Refusal> {
    Ok(snapshot.get(&CONFIGURATIONS, (bucket, KIND))?)
}

/// Whether a stored policy opens something to the public.
pub(crate) fn is_public(text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|document: Value| public::is_public(&document))
}

/// A stored policy, to be asked. One that cannot be read lets nobody in.
pub(crate) fn parse(text: &str) -> Result<Document, Refusal> {
    let document: Value = serde_json::from_str(text).map_err(|_| access_denied())?;
    let document = by_account(document);
    Document::parse(&document.to_string(), Kind::Resource).map_err(|error| {
        tracing::error!(%error, "a stored bucket policy cannot be read");
        access_denied()
    })
}

/// The same document with accounts where it names canonical users: to the language they are the same.
fn by_account(mut document: Value) -> Value {
    for statement in check::statements_mut(&mut document) {
        for element in ["Principal", "NotPrincipal"] {
            let Some(principals) = statement.get_mut(element).and_then(Value::as_object_mut) else {
                continue;
            };
            let Some(users) = principals.remove("CanonicalUser") else { continue };
            let mut named = check::list(principals.get("AWS"));
            named.extend(check::list(Some(&users)).into_iter().map(|id| match buckets::account_of(&id) {
                Some(account) => account.as_str().to_owned(),
                None => id,
            }));
            principals.insert("AWS".to_owned(), named.into());
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use policy::{Caller, Context, Request, granted};

    use super::*;

    #[test]
    fn a_canonical_user_is_its_account() {
        let id = format!("{:0>64}", "111111111111");
        let document = parse(&format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{{"CanonicalUser":"{id}"}},"Action":"s3:*","Resource":"arn:aws:s3:::b"}}}}"#
        ))
        .unwrap();
        let caller = Caller::Root { account: "111111111111".into() };
        let context = Context::new();
        let request = Request {
            caller: &caller,
            action: "s3:ListBucket",
            resource: "arn:aws:s3:::b",
            context: &context,
        };
        assert_eq!(granted(Some(&document), &request), policy::Grant::ToCaller);
    }
}
