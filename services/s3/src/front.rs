//! `s3s` reads and writes S3's dialect of HTTP; this is all that it and the rest of the crate know of each other.
//!
//! The table at the end is the index of what is implemented: what is not in it answers `NotImplemented` by itself.

mod gate;
mod head;
mod new_bucket;
mod refusal;
pub(crate) mod signature;
mod whole;

use std::sync::Arc;

use domain::{Clock as _, SystemClock};
use http::{Method, Request, Response, Uri};
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Request, S3Response, S3Result};
use wire::gateway::{Body, Inflow, StreamedRequest};

use self::signature::Signature;
use crate::S3;
use crate::access::{self, Target};
use crate::buckets;
use crate::call::Call;
use crate::configuration::{
    absent, acl, cors as cors_rules, encryption, logging, object_lock, ownership, payment, policy,
    public_access, tagging, website,
};
use crate::cors;
use crate::error;
use crate::forms;
use crate::lifecycle;
use crate::lists;
use crate::multipart;
use crate::notify;
use crate::objects;

struct Front(S3);

/// What reads requests and writes answers.
fn service(s3: &S3) -> S3Service {
    S3ServiceBuilder::new(Front(s3.clone())).build()
}

impl S3 {
    /// Answers a request.
    pub async fn answer(&self, asked: StreamedRequest) -> Response<Body> {
        let StreamedRequest { mut request, mut context, anonymous, host_label, trailers, foreign_page, keys } =
            asked;
        let (id, resource) = (context.request_id, request.uri().path().to_owned());
        let bucket = host_label.as_deref().and_then(wire::gateway::bucket_of_host);
        let asked = request.uri().clone();
        head::hoisted(&asked, request.headers_mut());
        match head::plain(&asked, bucket) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(refusal) => return refusal::of(refusal, &resource, id).await,
        }
        if *request.method() == Method::OPTIONS {
            return match cors::preflight(self, request.uri(), request.headers()) {
                Ok(granted) => head::granted(&granted),
                Err(refusal) => refusal::of(refusal, &resource, id).await,
            };
        }
        // Where signatures are demanded, a page can do no more than anybody.
        let is_guarded = foreign_page.is_some() && !keys.are_required();
        let heard = match cors::ask(self, request.method(), request.uri(), request.headers(), is_guarded) {
            Ok(heard) => heard,
            Err(refusal) => return refusal::of(refusal, &resource, id).await,
        };
        let signature = Signature::of(&asked, request.headers(), SystemClock.now());
        head::strip(request.headers_mut());
        context.headers = request.headers().clone();
        let new_tags = Vec::new();
        let call = Call { context, anonymous, trailers, keys: Some(keys), signature, new_tags };
        let answer = self.serve(request, call, &asked, host_label.as_deref());
        let mut response = answer.await;
        if let Some(heard) = heard {
            heard.apply(response.headers_mut());
        }
        response
    }

    async fn serve(
        &self,
        request: Request<Inflow>,
        call: Call,
        asked: &Uri,
        host_label: Option<&str>,
    ) -> Response<Body> {
        let (id, resource) = (call.context.request_id, asked.path());
        if let Err(refusal) = gate::check(self, &call, request.method(), request.uri(), host_label) {
            return refusal::of(refusal, resource, id).await;
        }
        let target = Target::of(request.uri());
        if forms::is_one(request.method(), &target) {
            let in_host = host_label.and_then(wire::gateway::bucket_of_host).is_some();
            return match forms::post(self, call, request, &target, in_host).await {
                Ok(response) => response,
                Err(refusal) => refusal::of(refusal, resource, id).await,
            };
        }
        let (mut request, document) = match whole::body(request, &call.trailers).await {
            Ok(whole) => whole,
            Err(refusal) => return refusal::of(refusal, resource, id).await,
        };
        let new_tags = match new_bucket::tags(request.method(), request.uri(), &document) {
            Ok(tags) => tags,
            Err(refusal) => return refusal::of(refusal, resource, id).await,
        };
        request.extensions_mut().insert(Arc::new(Call { new_tags, ..call }));
        match self.front.get_or_init(|| service(self)).call(request).await {
            Ok(response) if response.status().is_client_error() || response.status().is_server_error() => {
                refusal::complete(response, resource, id).await
            }
            Ok(response) if head::asks_for_attributes(asked) => refusal::unquoted(response).await,
            Ok(response) => response.map(head::outflow),
            Err(error) => {
                tracing::error!(?error, "an answer could not be written");
                head::refused(error::internal())
            }
        }
    }
}

macro_rules! operations {
    ($($name:ident($input:ident) -> $output:ident = $handler:path;)*) => {
        /// What is implemented.
        #[cfg(test)]
        pub(crate) const OPERATIONS: &[&str] = &[$(stringify!($name)),*];

        #[async_trait::async_trait]
        impl s3s::S3 for Front {
            $(async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                let call: Arc<Call> = Call::of(&request.extensions)?;
                access::admit(&self.0, &call, stringify!($name), &request.uri)?;
                let answer = $handler(&self.0, &call, request.input).await;
                Ok(answer.map_err(|refusal| access::hide(&self.0, &call, &request.uri, refusal))?)
            })*
        }
    };
}

operations! {
    create_bucket(CreateBucketInput) -> CreateBucketOutput = buckets::create;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = buckets::delete;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = buckets::location;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = buckets::versioning;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput = buckets::put_versioning;
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput) -> GetBucketNotificationConfigurationOutput = notify::configuration;
    put_bucket_notification_configuration(PutBucketNotificationConfigurationInput) -> PutBucketNotificationConfigurationOutput = notify::configure;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = buckets::head;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = buckets::list;
    get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput = acl::get;
    put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput = acl::put;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput = cors_rules::get;
    put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput = cors_rules::put;
    delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput = cors_rules::delete;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput = encryption::get;
    put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput = encryption::put;
    delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput = encryption::delete;
    put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput) -> PutBucketLifecycleConfigurationOutput = lifecycle::put;
    delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput = lifecycle::delete;
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput = lifecycle::get;
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput = logging::get;
    put_bucket_logging(PutBucketLoggingInput) -> PutBucketLoggingOutput = logging::put;
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput = object_lock::get;
    put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput = object_lock::put;
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput = ownership::get;
    put_bucket_ownership_controls(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput = ownership::put;
    delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput) -> DeleteBucketOwnershipControlsOutput = ownership::delete;
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput = payment::request_payment;
    put_bucket_request_payment(PutBucketRequestPaymentInput) -> PutBucketRequestPaymentOutput = payment::put_request_payment;
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput) -> GetBucketAccelerateConfigurationOutput = payment::accelerate;
    put_bucket_accelerate_configuration(PutBucketAccelerateConfigurationInput) -> PutBucketAccelerateConfigurationOutput = payment::put_accelerate;
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput = policy::get;
    get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput = policy::status;
    put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput = policy::put;
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput = policy::delete;
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput = public_access::get;
    put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput = public_access::put;
    delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput = public_access::delete;
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput = tagging::get;
    put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput = tagging::put;
    delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput = tagging::delete;
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput = website::get;
    put_bucket_website(PutBucketWebsiteInput) -> PutBucketWebsiteOutput = website::put;
    delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput = website::delete;
    put_bucket_replication(PutBucketReplicationInput) -> PutBucketReplicationOutput = absent::put_replication;
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput = absent::replication;
    delete_bucket_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput = absent::delete_replication;
    put_bucket_analytics_configuration(PutBucketAnalyticsConfigurationInput) -> PutBucketAnalyticsConfigurationOutput = absent::put_analytics;
    get_bucket_analytics_configuration(GetBucketAnalyticsConfigurationInput) -> GetBucketAnalyticsConfigurationOutput = absent::analytics;
    delete_bucket_analytics_configuration(DeleteBucketAnalyticsConfigurationInput) -> DeleteBucketAnalyticsConfigurationOutput = absent::delete_analytics;
    list_bucket_analytics_configurations(ListBucketAnalyticsConfigurationsInput) -> ListBucketAnalyticsConfigurationsOutput = absent::list_analytics;
    put_bucket_inventory_configuration(PutBucketInventoryConfigurationInput) -> PutBucketInventoryConfigurationOutput = absent::put_inventory;
    get_bucket_inventory_configuration(GetBucketInventoryConfigurationInput) -> GetBucketInventoryConfigurationOutput = absent::inventory;
    delete_bucket_inventory_configuration(DeleteBucketInventoryConfigurationInput) -> DeleteBucketInventoryConfigurationOutput = absent::delete_inventory;
    list_bucket_inventory_configurations(ListBucketInventoryConfigurationsInput) -> ListBucketInventoryConfigurationsOutput = absent::list_inventory;
    put_bucket_metrics_configuration(PutBucketMetricsConfigurationInput) -> PutBucketMetricsConfigurationOutput = absent::put_metrics;
    get_bucket_metrics_configuration(GetBucketMetricsConfigurationInput) -> GetBucketMetricsConfigurationOutput = absent::metrics;
    delete_bucket_metrics_configuration(DeleteBucketMetricsConfigurationInput) -> DeleteBucketMetricsConfigurationOutput = absent::delete_metrics;
    list_bucket_metrics_configurations(ListBucketMetricsConfigurationsInput) -> ListBucketMetricsConfigurationsOutput = absent::list_metrics;
    put_bucket_intelligent_tiering_configuration(PutBucketIntelligentTieringConfigurationInput) -> PutBucketIntelligentTieringConfigurationOutput = absent::put_tiering;
    get_bucket_intelligent_tiering_configuration(GetBucketIntelligentTieringConfigurationInput) -> GetBucketIntelligentTieringConfigurationOutput = absent::tiering;
    delete_bucket_intelligent_tiering_configuration(DeleteBucketIntelligentTieringConfigurationInput) -> DeleteBucketIntelligentTieringConfigurationOutput = absent::delete_tiering;
    list_bucket_intelligent_tiering_configurations(ListBucketIntelligentTieringConfigurationsInput) -> ListBucketIntelligentTieringConfigurationsOutput = absent::list_tiering;
    create_bucket_metadata_table_configuration(CreateBucketMetadataTableConfigurationInput) -> CreateBucketMetadataTableConfigurationOutput = absent::create_metadata_table;
    get_bucket_metadata_table_configuration(GetBucketMetadataTableConfigurationInput) -> GetBucketMetadataTableConfigurationOutput = absent::metadata_table;
    delete_bucket_metadata_table_configuration(DeleteBucketMetadataTableConfigurationInput) -> DeleteBucketMetadataTableConfigurationOutput = absent::delete_metadata_table;
    create_session(CreateSessionInput) -> CreateSessionOutput = absent::create_session;
    select_object_content(SelectObjectContentInput) -> SelectObjectContentOutput = absent::select;
    restore_object(RestoreObjectInput) -> RestoreObjectOutput = absent::restore;
    get_object_torrent(GetObjectTorrentInput) -> GetObjectTorrentOutput = absent::torrent;
    list_objects(ListObjectsInput) -> ListObjectsOutput = lists::list;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = lists::list_v2;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = lists::list_versions;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = objects::delete;
    get_object(GetObjectInput) -> GetObjectOutput = objects::get;
    head_object(HeadObjectInput) -> HeadObjectOutput = objects::head;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = multipart::create;
    upload_part(UploadPartInput) -> UploadPartOutput = multipart::upload_part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = multipart::upload_part_copy;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = multipart::complete;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = multipart::abort;
    list_parts(ListPartsInput) -> ListPartsOutput = multipart::list_parts;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = multipart::list_uploads;
    get_object_acl(GetObjectAclInput) -> GetObjectAclOutput = objects::acl;
    put_object_acl(PutObjectAclInput) -> PutObjectAclOutput = objects::put_acl;
    get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput = objects::legal_hold;
    put_object_legal_hold(PutObjectLegalHoldInput) -> PutObjectLegalHoldOutput = objects::put_legal_hold;
    get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput = objects::retention;
    put_object_retention(PutObjectRetentionInput) -> PutObjectRetentionOutput = objects::put_retention;
    copy_object(CopyObjectInput) -> CopyObjectOutput = objects::copy;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = objects::delete_many;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput = objects::attributes;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = objects::tagging;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = objects::put_tagging;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput = objects::delete_tagging;
    put_object(PutObjectInput) -> PutObjectOutput = objects::put;
}
