//! PutBucketNotificationConfiguration and GetBucketNotificationConfiguration.

use s3s::S3Response;
use s3s::dto::{
    GetBucketNotificationConfigurationInput, GetBucketNotificationConfigurationOutput,
    NotificationConfiguration, PutBucketNotificationConfigurationInput,
    PutBucketNotificationConfigurationOutput,
};
use uuid::Uuid;

use super::{KIND, check, probe};
use crate::call::Call;
use crate::error::Refusal;
use crate::{S3, buckets, configuration as documents};

/// Sets who is told of what, and tells queues and topics that it will be them.
pub(crate) async fn configure(
    s3: &S3,
    call: &Call,
    input: PutBucketNotificationConfigurationInput,
) -> Result<S3Response<PutBucketNotificationConfigurationOutput>, Refusal> {
    let bucket = s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
    call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
    let mut configured = input.notification_configuration;
    check::check(s3, &bucket, &configured, input.skip_destination_validation != Some(true))?;
    name(&mut configured);
    let tests = probe::tests(&bucket, &configured, call.context.request_id, s3.now());
    let deliveries = s3.deliveries.clone();
    s3.write(move |tx| {
        buckets::find(tx, &bucket.name)?;
        if is_empty(&configured) {
            documents::remove(tx, &bucket.name, KIND)?;
            return Ok(());
        }
        documents::write(tx, &bucket.name, KIND, &configured)?;
        for test in tests {
            deliveries.accept(tx, test)?;
        }
        Ok(())
    })
    .await?;
    Ok(S3Response::new(PutBucketNotificationConfigurationOutput {}))
}

/// An empty one, if none was set.
pub(crate) async fn configuration(
    s3: &S3,
    call: &Call,
    input: GetBucketNotificationConfigurationInput,
) -> Result<S3Response<GetBucketNotificationConfigurationOutput>, Refusal> {
    let configured = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
        documents::read::<NotificationConfiguration>(snapshot, &bucket.name, KIND)
    })?;
    let configured = configured.unwrap_or_default();
    Ok(S3Response::new(GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: configured.event_bridge_configuration,
        lambda_function_configurations: configured.lambda_function_configurations,
        queue_configurations: configured.queue_configurations,
        topic_configurations: configured.topic_configurations,
    }))
}

fn is_empty(configured: &NotificationConfiguration) -> bool {
    configured.event_bridge_configuration.is_none() && super::matching::entries(configured).is_empty()
}

/// Gives an id to those that have none.
fn name(configured: &mut NotificationConfiguration) {
    let topics = configured.topic_configurations.iter_mut().flatten().map(|one| &mut one.id);
    let queues = configured.queue_configurations.iter_mut().flatten().map(|one| &mut one.id);
    let functions = configured.lambda_function_configurations.iter_mut().flatten().map(|one| &mut one.id);
    for id in topics.chain(queues).chain(functions) {
        id.get_or_insert_with(|| Uuid::new_v4().to_string());
    }
}
