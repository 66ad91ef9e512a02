//! Roles that services act as: whether one may do what a poller or a delivery is about to do.

use std::sync::{Arc, OnceLock};

use deliveries::{Parcel, Sender};
use iam::{Iam, RoleDeed};
use lambda::Lambda;
use policy::Context as Keys;
use sqs::Sqs;

/// Whether a role may, for the function, schedule or rule with an ARN, do something to a resource, by its own policies.
pub type RoleMay = triggers::RoleMay;

/// Whether a role may do something: everything, where callers need not prove who they are.
pub fn role_may(iam: &Iam, lambda: &Lambda, sqs: &Sqs, evaluates_identity: bool) -> RoleMay {
    let (iam, lambda, sqs) = (iam.clone(), lambda.clone(), sqs.clone());
    Arc::new(move |role_arn, source_arn, action, resource| {
        if !evaluates_identity {
            return true;
        }
        let keys = &tags(&lambda, &sqs, resource)
            .with_some("aws:RequestedRegion", region(resource).or_else(|| region(source_arn)));
        let deed = RoleDeed { role_arn, session: session_name(source_arn), action, resource, keys };
        iam.role_allows(&deed).is_ok_and(policy::Decision::is_allowed)
    })
}

/// The same, for functions' own service, which is there before roles can be asked about: until then none may do anything.
pub fn once_known(role_may: Arc<OnceLock<RoleMay>>) -> lambda::RoleMay {
    Box::new(move |role_arn, source_arn, action, resource| {
        role_may.get().is_some_and(|role_may| role_may(role_arn, source_arn, action, resource))
    })
}

/// Whether the sender is a role whose own policies do not let it do this to the target.
pub fn is_denied(role_may: &RoleMay, parcel: &Parcel, action: &str) -> bool {
    match &parcel.sender {
        Sender::Role { arn, source_arn } => !role_may(arn, source_arn, action, &parcel.target),
        Sender::Authorised { .. } | Sender::Service { .. } => false,
    }
}

/// What the session of a role is called that is used for a function, a schedule or a rule: as that is.
pub fn session_name(arn: &str) -> &str {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let resource = resource.strip_prefix("function:").unwrap_or(resource);
    let unqualified = resource.split(':').next().unwrap_or_default();
    unqualified.rsplit('/').next().unwrap_or_default()
}

/// What conditions may ask about the tags of a resource, where access goes by them: functions and queues.
fn tags(lambda: &Lambda, sqs: &Sqs, resource: &str) -> Keys {
    match resource.split(':').nth(2) {
        Some("lambda") => lambda.tags_of(resource).map(|tags| Keys::clone(&tags)).unwrap_or_default(),
        Some("sqs") => {
            let tags = sqs.queue(resource).map(|queue| queue.tags()).unwrap_or_default();
            tags.iter()
                .fold(Keys::new(), |keys, (tag, value)| keys.with(&format!("aws:ResourceTag/{tag}"), value))
        }
        _ => Keys::new(),
    }
}

/// A bucket's ARN has none.
fn region(arn: &str) -> Option<&str> {
    arn.split(':').nth(3).filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_called_as_what_they_are_for() {
        assert_eq!(session_name("arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"), "f");
        assert_eq!(session_name("arn:aws:scheduler:us-east-1:000000000000:schedule/default/s"), "s");
        assert_eq!(session_name("arn:aws:events:us-east-1:000000000000:rule/bus/r"), "r");
    }

    #[test]
    fn a_bucket_is_in_no_region() {
        assert_eq!(region("arn:aws:sqs:eu-west-1:000000000000:q"), Some("eu-west-1"));
        assert_eq!(region("arn:aws:s3:::b/k"), None);
    }
}
