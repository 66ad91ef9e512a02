//! PutBucketLifecycleConfiguration, GetBucketLifecycleConfiguration, DeleteBucketLifecycle.

use s3s::S3Response;
use s3s::dto::{
    BucketLifecycleConfiguration, DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput,
    GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput,
    PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput,
    TransitionDefaultMinimumObjectSize as Minimum,
};
use uuid::Uuid;

use super::check::check;
use super::run::Due;
use crate::call::Call;
use crate::configuration::{self, no_content};
use crate::error::{Refusal, invalid_request, malformed_xml, not_found};
use crate::record::CONFIGURATIONS;
use crate::{S3, buckets};

pub(crate) const KIND: &str = "lifecycle";
/// From which size on objects would go to another storage class. Kept and shown: nothing goes to another class here.
const MINIMUM: &str = "lifecycle-minimum";

pub(crate) async fn put(
    s3: &S3,
    _: &Call,
    input: PutBucketLifecycleConfigurationInput,
) -> Result<S3Response<PutBucketLifecycleConfigurationOutput>, Refusal> {
    let mut configured = input.lifecycle_configuration.ok_or_else(malformed_xml)?;
    check(&configured)?;
    for rule in &mut configured.rules {
        if rule.id.as_ref().is_none_or(String::is_empty) {
            rule.id = Some(Uuid::new_v4().to_string());
        }
    }
    let minimum = match input.transition_default_minimum_object_size.as_ref().map(Minimum::as_str) {
        None => Minimum::ALL_STORAGE_CLASSES_128K.to_owned(),
        Some(size @ (Minimum::ALL_STORAGE_CLASSES_128K | Minimum::VARIES_BY_STORAGE_CLASS)) => {
            size.to_owned()
        }
        Some(_) => {
            return Err(invalid_request(
                "Invalid TransitionDefaultMinimumObjectSize found: it must be all_storage_classes_128K or \
                 varies_by_storage_class",
            ));
        }
    };
    let (state, told) = (s3.clone(), minimum.clone());
    s3.write(move |tx| {
        buckets::find(tx, &input.bucket)?;
        configuration::write(tx, &input.bucket, KIND, &configured)?;
        tx.put(&CONFIGURATIONS, (input.bucket.as_str(), MINIMUM), &minimum)?;
        // What is due already goes now.
        tx.after_commit(move || state.alarms.set((input.bucket, Due::Now), Some(state.now())));
        Ok(())
    })
    .await?;
    Ok(S3Response::new(PutBucketLifecycleConfigurationOutput {
        transition_default_minimum_object_size: Some(Minimum::from(told)),
    }))
}

pub(crate) async fn get(
    s3: &S3,
    _: &Call,
    input: GetBucketLifecycleConfigurationInput,
) -> Result<S3Response<GetBucketLifecycleConfigurationOutput>, Refusal> {
    let (configured, minimum) = s3.read(|snapshot| {
        buckets::find(snapshot, &input.bucket)?;
        let configured = configuration::read::<BucketLifecycleConfiguration>(snapshot, &input.bucket, KIND)?;
        Ok((configured, snapshot.get(&CONFIGURATIONS, (input.bucket.as_str(), MINIMUM))?))
    })?;
    let configured = configured.ok_or_else(|| {
        not_found("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", &input.bucket)
    })?;
    Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
        rules: Some(configured.rules),
        transition_default_minimum_object_size: minimum.map(Minimum::from),
    }))
}

pub(crate) async fn delete(
    s3: &S3,
    _: &Call,
    input: DeleteBucketLifecycleInput,
) -> Result<S3Response<DeleteBucketLifecycleOutput>, Refusal> {
    let state = s3.clone();
    s3.write(move |tx| {
        buckets::find(tx, &input.bucket)?;
        configuration::remove(tx, &input.bucket, KIND)?;
        configuration::remove(tx, &input.bucket, MINIMUM)?;
        tx.after_commit(move || {
            for due in [Due::Now, Due::Midnight, Due::Later] {
                state.alarms.set((input.bucket.clone(), due), None);
            }
        });
        Ok(())
    })
    .await?;
    Ok(no_content(DeleteBucketLifecycleOutput {}))
}
