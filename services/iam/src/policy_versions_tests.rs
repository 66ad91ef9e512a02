use super::*;
use crate::policies::{create_policy, delete_policy, get_policy};
use crate::shapes::{CreatePolicyRequest, DeletePolicyRequest, GetPolicyRequest};
use crate::testing::{ALLOW_S3, check_error, cx, iam};

const ARN: &str = "arn:aws:iam::000000000000:policy/p";

async fn with_policy() -> Iam {
    let iam = iam();
    let input = CreatePolicyRequest {
        policy_name: "p".to_owned(),
        policy_document: ALLOW_S3.to_owned(),
        ..Default::default()
    };
    create_policy(iam.clone(), cx(), input).await.unwrap();
    iam
}

async fn add(iam: &Iam, action: &str, set_as_default: bool) -> Result<shapes::PolicyVersion, Error> {
    let input = CreatePolicyVersionRequest {
        policy_arn: ARN.to_owned(),
        policy_document: ALLOW_S3.replace("s3:GetObject", action),
        set_as_default: Some(set_as_default),
    };
    Ok(create_policy_version(iam.clone(), cx(), input).await?.policy_version.unwrap())
}

async fn get(iam: &Iam, arn: &str, version: &str) -> Result<shapes::PolicyVersion, Error> {
    let input = GetPolicyVersionRequest { policy_arn: arn.to_owned(), version_id: version.to_owned() };
    Ok(get_policy_version(iam.clone(), cx(), input).await?.policy_version.unwrap())
}

async fn delete(iam: &Iam, version: &str) -> Result<Unit, Error> {
    let input = DeletePolicyVersionRequest { policy_arn: ARN.to_owned(), version_id: version.to_owned() };
    delete_policy_version(iam.clone(), cx(), input).await
}

async fn listed(iam: &Iam) -> Vec<(String, bool)> {
    let input = ListPolicyVersionsRequest { policy_arn: ARN.to_owned(), ..Default::default() };
    let versions = list_policy_versions(iam.clone(), cx(), input).await.unwrap().versions.unwrap();
    versions.into_iter().map(|v| (v.version_id.unwrap(), v.is_default_version.unwrap())).collect()
}

#[tokio::test]
async fn a_new_version_is_in_effect_when_it_is_made_the_default() {
    let iam = with_policy().await;
    let second = add(&iam, "s3:PutObject", false).await.unwrap();
    assert_eq!((second.version_id.as_deref(), second.is_default_version), (Some("v2"), Some(false)));
    add(&iam, "s3:*", true).await.unwrap();
    let default = |version: &str, is_default| (version.to_owned(), is_default);
    assert_eq!(listed(&iam).await, [default("v3", true), default("v2", false), default("v1", false)]);
    let input = SetDefaultPolicyVersionRequest { policy_arn: ARN.to_owned(), version_id: "v2".to_owned() };
    set_default_policy_version(iam.clone(), cx(), input).await.unwrap();
    let policy =
        get_policy(iam.clone(), cx(), GetPolicyRequest { policy_arn: ARN.to_owned() }).await.unwrap();
    assert_eq!(policy.policy.unwrap().default_version_id.as_deref(), Some("v2"));
    let document = get(&iam, ARN, "v2").await.unwrap().document.unwrap();
    assert_eq!(document, url_encoded(&ALLOW_S3.replace("s3:GetObject", "s3:PutObject")));
}

#[tokio::test]
async fn five_versions_are_kept_and_numbers_are_not_used_again() {
    let iam = with_policy().await;
    for _ in 0..4 {
        add(&iam, "s3:*", false).await.unwrap();
    }
    check_error(
        add(&iam, "s3:*", false).await,
        "LimitExceeded: A managed policy can have up to 5 versions. Before you create a new version, you must delete \
         an existing version.",
    );
    delete(&iam, "v5").await.unwrap();
    assert_eq!(add(&iam, "s3:*", false).await.unwrap().version_id.as_deref(), Some("v6"));
}

#[tokio::test]
async fn the_default_version_goes_only_with_the_policy() {
    let iam = with_policy().await;
    add(&iam, "s3:*", false).await.unwrap();
    check_error(delete(&iam, "v1").await, "DeleteConflict: Cannot delete the default version of a policy.");
    let input = DeletePolicyRequest { policy_arn: ARN.to_owned() };
    check_error(
        delete_policy(iam.clone(), cx(), input.clone()).await,
        "DeleteConflict: This policy has more than one version. Before you delete a policy, you must delete the \
         policy's versions. The default version is deleted with the policy.",
    );
    delete(&iam, "v2").await.unwrap();
    delete_policy(iam, cx(), input).await.unwrap();
}

#[tokio::test]
async fn a_version_that_does_not_exist_is_said_so() {
    let iam = with_policy().await;
    let expected = format!("NoSuchEntity: Policy {ARN} version v9 does not exist or is not attachable.");
    check_error(get(&iam, ARN, "v9").await, &expected);
    check_error(delete(&iam, "v9").await, &expected);
}

#[tokio::test]
async fn awss_policies_show_the_version_in_effect() {
    let iam = iam();
    let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    let version = get(&iam, arn, "v1").await.unwrap();
    assert_eq!(version.is_default_version, Some(true));
    assert!(version.document.unwrap().contains("logs%3APutLogEvents"));
    check_error(
        get(&iam, arn, "v2").await,
        &format!("NoSuchEntity: Policy {arn} version v2 does not exist or is not attachable."),
    );
    let input = ListPolicyVersionsRequest { policy_arn: arn.to_owned(), ..Default::default() };
    assert_eq!(list_policy_versions(iam, cx(), input).await.unwrap().versions.unwrap().len(), 1);
}
