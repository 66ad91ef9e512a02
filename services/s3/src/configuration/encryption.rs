//! PutBucketEncryption, GetBucketEncryption, DeleteBucketEncryption: what objects are said to be encrypted with.

use s3s::dto::{
    DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput, GetBucketEncryptionInput,
    GetBucketEncryptionOutput, PutBucketEncryptionInput, PutBucketEncryptionOutput, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use s3s::{S3ErrorCode, S3Response};

use super::{clear, no_content, of_bucket};
use crate::S3;
use crate::call::Call;
use crate::error::{Refusal, invalid_argument, malformed_xml, refuse};

pub(crate) const KIND: &str = "encryption";

pub(crate) async fn put(
    s3: &S3,
    _: &Call,
    input: PutBucketEncryptionInput,
) -> Result<S3Response<PutBucketEncryptionOutput>, Refusal> {
    check(&input.server_side_encryption_configuration)?;
    super::put(s3, input.bucket, KIND, input.server_side_encryption_configuration).await?;
    Ok(S3Response::new(PutBucketEncryptionOutput {}))
}

/// Every bucket has one: `AES256` if nothing else was set.
pub(crate) async fn get(
    s3: &S3,
    _: &Call,
    input: GetBucketEncryptionInput,
) -> Result<S3Response<GetBucketEncryptionOutput>, Refusal> {
    let configured = of_bucket(s3, &input.bucket, KIND)?.unwrap_or_else(default);
    Ok(S3Response::new(GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configured) }))
}

pub(crate) async fn delete(
    s3: &S3,
    _: &Call,
    input: DeleteBucketEncryptionInput,
) -> Result<S3Response<DeleteBucketEncryptionOutput>, Refusal> {
    clear(s3, input.bucket, KIND).await?;
    Ok(no_content(DeleteBucketEncryptionOutput {}))
}

fn default() -> ServerSideEncryptionConfiguration {
    let by_default = ServerSideEncryptionByDefault {
        kms_master_key_id: None,
        sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
    };
    ServerSideEncryptionConfiguration {
        rules: vec![ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(by_default),
            bucket_key_enabled: Some(false),
        }],
    }
}

fn check(configured: &ServerSideEncryptionConfiguration) -> Result<(), Refusal> {
    let [rule] = configured.rules.as_slice() else { return Err(malformed_xml()) };
    let Some(by_default) = &rule.apply_server_side_encryption_by_default else {
        return if rule.bucket_key_enabled.is_some() { Ok(()) } else { Err(malformed_xml()) };
    };
    match (by_default.sse_algorithm.as_str(), by_default.kms_master_key_id.as_deref()) {
        (ServerSideEncryption::AES256, Some(_)) => Err(invalid_argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        )
        .with("ArgumentName", "ApplyServerSideEncryptionByDefault")),
        (ServerSideEncryption::AWS_KMS | ServerSideEncryption::AWS_KMS_DSSE, Some("")) => {
            Err(refuse(S3ErrorCode::InvalidArgument, "Invalid KMS master key ID"))
        }
        (
            ServerSideEncryption::AES256 | ServerSideEncryption::AWS_KMS | ServerSideEncryption::AWS_KMS_DSSE,
            _,
        ) => Ok(()),
        _ => Err(malformed_xml()),
    }
}
