use super::*;
use crate::policies::{create_policy, delete_policy, get_policy};
use crate::roles::{create_role, delete_role};
use crate::shapes::{
    CreatePolicyRequest, CreateRoleRequest, CreateUserRequest, DeletePolicyRequest, DeleteRoleRequest,
    GetPolicyRequest,
};
use crate::testing::{ALLOW_S3, TRUST_LAMBDA, check_error, cx, iam};
use crate::users::create_user;

const BASIC: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

/// An IAM with the role and the user `sam`, and the policies `p0` to `p10`.
async fn with_sam() -> Iam {
    let iam = iam();
    let role = CreateRoleRequest {
        role_name: "sam".to_owned(),
        assume_role_policy_document: TRUST_LAMBDA.to_owned(),
        ..Default::default()
    };
    create_role(iam.clone(), cx(), role).await.unwrap();
    let user = CreateUserRequest { user_name: "sam".to_owned(), ..Default::default() };
    create_user(iam.clone(), cx(), user).await.unwrap();
    for number in 0..=10 {
        let policy = CreatePolicyRequest {
            policy_name: format!("p{number}"),
            path: Some("/team/".to_owned()),
            policy_document: ALLOW_S3.to_owned(),
            ..Default::default()
        };
        create_policy(iam.clone(), cx(), policy).await.unwrap();
    }
    iam
}

fn arn(name: &str) -> String {
    format!("arn:aws:iam::000000000000:policy/team/{name}")
}

async fn attach(iam: &Iam, arn: &str) -> Result<Unit, Error> {
    let input = AttachRolePolicyRequest { role_name: "sam".to_owned(), policy_arn: arn.to_owned() };
    attach_role_policy(iam.clone(), cx(), input).await
}

async fn detach(iam: &Iam, arn: &str) -> Result<Unit, Error> {
    let input = DetachRolePolicyRequest { role_name: "sam".to_owned(), policy_arn: arn.to_owned() };
    detach_role_policy(iam.clone(), cx(), input).await
}

async fn listed(iam: &Iam, path_prefix: Option<&str>) -> Vec<(String, String)> {
    let input = ListAttachedRolePoliciesRequest {
        role_name: "sam".to_owned(),
        path_prefix: path_prefix.map(str::to_owned),
        ..Default::default()
    };
    let listed = list_attached_role_policies(iam.clone(), cx(), input).await.unwrap();
    let policies = listed.attached_policies.unwrap().into_iter();
    policies.map(|policy| (policy.policy_name.unwrap(), policy.policy_arn.unwrap())).collect()
}

#[tokio::test]
async fn a_policy_is_attached_listed_and_detached() {
    let iam = with_sam().await;
    attach(&iam, &arn("p1")).await.unwrap();
    attach(&iam, BASIC).await.unwrap();
    let basic = ("AWSLambdaBasicExecutionRole".to_owned(), BASIC.to_owned());
    assert_eq!(listed(&iam, None).await, [basic.clone(), ("p1".to_owned(), arn("p1"))]);
    assert_eq!(listed(&iam, Some("/service-role/")).await, [basic]);
    detach(&iam, BASIC).await.unwrap();
    assert_eq!(listed(&iam, None).await, [("p1".to_owned(), arn("p1"))]);
}

#[tokio::test]
async fn attaching_again_changes_nothing_and_detaching_again_is_an_error() {
    let iam = with_sam().await;
    attach(&iam, BASIC).await.unwrap();
    attach(&iam, BASIC).await.unwrap();
    assert_eq!(listed(&iam, None).await.len(), 1);
    detach(&iam, BASIC).await.unwrap();
    check_error(detach(&iam, BASIC).await, &format!("NoSuchEntity: Policy {BASIC} was not found."));
}

#[tokio::test]
async fn a_policy_that_does_not_exist_is_not_attachable() {
    let iam = with_sam().await;
    for arn in [
        "arn:aws:iam::aws:policy/NoSuchPolicy",
        "arn:aws:iam::000000000000:policy/p1",
        "arn:aws:iam::111111111111:policy/team/p1",
    ] {
        let expected = format!("NoSuchEntity: Policy {arn} does not exist or is not attachable.");
        check_error(attach(&iam, arn).await, &expected);
    }
    for arn in ["arn:aws:iam::000000000000:role/team/p1", "AdministratorAccess-no-arn"] {
        check_error(attach(&iam, arn).await, &format!("InvalidInput: ARN {arn} is not valid."));
    }
}

#[tokio::test]
async fn a_role_has_at_most_ten_policies_attached() {
    let iam = with_sam().await;
    for number in 0..10 {
        attach(&iam, &arn(&format!("p{number}"))).await.unwrap();
    }
    check_error(
        attach(&iam, &arn("p10")).await,
        "LimitExceeded: Cannot exceed quota for PoliciesPerRole: 10",
    );
    attach(&iam, &arn("p9")).await.unwrap();
}

#[tokio::test]
async fn neither_a_role_with_attached_policies_nor_such_a_policy_can_be_deleted() {
    let iam = with_sam().await;
    attach(&iam, &arn("p1")).await.unwrap();
    check_error(
        delete_role(iam.clone(), cx(), DeleteRoleRequest { role_name: "sam".to_owned() }).await,
        "DeleteConflict: Cannot delete entity, must detach all policies first.",
    );
    check_error(
        delete_policy(iam.clone(), cx(), DeletePolicyRequest { policy_arn: arn("p1") }).await,
        "DeleteConflict: Cannot delete a policy attached to entities.",
    );
    detach(&iam, &arn("p1")).await.unwrap();
    delete_policy(iam.clone(), cx(), DeletePolicyRequest { policy_arn: arn("p1") }).await.unwrap();
    delete_role(iam, cx(), DeleteRoleRequest { role_name: "sam".to_owned() }).await.unwrap();
}

#[tokio::test]
async fn a_policy_knows_its_roles_and_users() {
    let iam = with_sam().await;
    attach(&iam, BASIC).await.unwrap();
    let input = AttachUserPolicyRequest { user_name: "sam".to_owned(), policy_arn: BASIC.to_owned() };
    attach_user_policy(iam.clone(), cx(), input).await.unwrap();
    let got = get_policy(iam.clone(), cx(), GetPolicyRequest { policy_arn: BASIC.to_owned() }).await.unwrap();
    assert_eq!(got.policy.unwrap().attachment_count, Some(2));
    for (filter, roles, users) in [
        (None, 1, 1),
        (Some(EntityType::Role), 1, 0),
        (Some(EntityType::User), 0, 1),
        (Some(EntityType::Group), 0, 0),
    ] {
        let input = ListEntitiesForPolicyRequest {
            policy_arn: BASIC.to_owned(),
            entity_filter: filter,
            ..Default::default()
        };
        let listed = list_entities_for_policy(iam.clone(), cx(), input).await.unwrap();
        let found = (listed.policy_roles.unwrap().len(), listed.policy_users.unwrap().len());
        assert_eq!(found, (roles, users), "{filter:?}");
    }
    let input = ListAttachedUserPoliciesRequest { user_name: "sam".to_owned(), ..Default::default() };
    let listed = list_attached_user_policies(iam.clone(), cx(), input).await.unwrap();
    assert_eq!(listed.attached_policies.unwrap().len(), 1);
    let input = DetachUserPolicyRequest { user_name: "sam".to_owned(), policy_arn: BASIC.to_owned() };
    detach_user_policy(iam.clone(), cx(), input).await.unwrap();
    let got = get_policy(iam, cx(), GetPolicyRequest { policy_arn: BASIC.to_owned() }).await.unwrap();
    assert_eq!(got.policy.unwrap().attachment_count, Some(1));
}
