use super::*;
use crate::attachments::attach_role_policy;
use crate::roles::create_role;
use crate::shapes::{AttachRolePolicyRequest, CreateRoleRequest, Tag};
use crate::testing::{ALLOW_S3, TRUST_LAMBDA, check_error, cx, iam};

const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

fn named(name: &str) -> CreatePolicyRequest {
    CreatePolicyRequest {
        policy_name: name.to_owned(),
        policy_document: ALLOW_S3.to_owned(),
        ..CreatePolicyRequest::default()
    }
}

async fn create(iam: &Iam, input: CreatePolicyRequest) -> shapes::Policy {
    create_policy(iam.clone(), cx(), input).await.unwrap().policy.unwrap()
}

async fn get(iam: &Iam, arn: &str) -> Result<shapes::Policy, Error> {
    let got = get_policy(iam.clone(), cx(), GetPolicyRequest { policy_arn: arn.to_owned() }).await?;
    Ok(got.policy.unwrap())
}

async fn names(iam: &Iam, input: ListPoliciesRequest) -> Vec<String> {
    let listed = list_policies(iam.clone(), cx(), input).await.unwrap();
    listed.policies.unwrap().into_iter().map(|policy| policy.policy_name.unwrap()).collect()
}

#[tokio::test]
async fn a_policy_is_got_as_created() {
    let iam = iam();
    let input = CreatePolicyRequest {
        path: Some("/team/".to_owned()),
        description: Some("reads".to_owned()),
        tags: Some(vec![Tag { key: "k".to_owned(), value: "v".to_owned() }]),
        ..named("Read")
    };
    let created = create(&iam, input).await;
    assert_eq!(created.arn.as_deref(), Some("arn:aws:iam::000000000000:policy/team/Read"));
    assert_eq!(created.default_version_id.as_deref(), Some("v1"));
    assert_eq!((created.attachment_count, created.is_attachable), (Some(0), Some(true)));
    assert!(created.policy_id.as_ref().unwrap().starts_with("ANPA"));
    let got = get(&iam, created.arn.as_ref().unwrap()).await.unwrap();
    assert_eq!(got, shapes::Policy { description: Some("reads".to_owned()), ..created });
}

#[tokio::test]
async fn refusals_are_awss() {
    let iam = iam();
    create(&iam, named("Read")).await;
    check_error(
        create_policy(iam.clone(), cx(), named("read")).await,
        "EntityAlreadyExists: A policy called read already exists. Duplicate names are not allowed.",
    );
    let long = ALLOW_S3.replace("GetObject", &"x".repeat(6_144));
    check_error(
        create_policy(iam.clone(), cx(), CreatePolicyRequest { policy_document: long, ..named("long") })
            .await,
        "LimitExceeded: Cannot exceed quota for PolicySize: 6144",
    );
    let arn = "arn:aws:iam::000000000000:policy/gone";
    check_error(get(&iam, arn).await, &format!("NoSuchEntity: Policy {arn} was not found."));
    check_error(
        get(&iam, "arn:aws:s3:::a-bucket-not-policy").await,
        "InvalidInput: ARN arn:aws:s3:::a-bucket-not-policy is not valid.",
    );
}

#[tokio::test]
async fn a_policy_of_awss_can_be_read_but_not_changed() {
    let iam = iam();
    let got = get(&iam, ADMIN).await.unwrap();
    assert_eq!((got.arn.as_deref(), got.policy_name.as_deref()), (Some(ADMIN), Some("AdministratorAccess")));
    let delete = DeletePolicyRequest { policy_arn: ADMIN.to_owned() };
    assert_eq!(delete_policy(iam.clone(), cx(), delete).await.unwrap_err().code, "AccessDenied");
    let tag = TagPolicyRequest { policy_arn: ADMIN.to_owned(), tags: vec![] };
    assert_eq!(tag_policy(iam, cx(), tag).await.unwrap_err().code, "AccessDenied");
}

#[tokio::test]
async fn policies_are_listed_by_scope_path_and_use() {
    let iam = iam();
    create(&iam, named("b")).await;
    create(&iam, CreatePolicyRequest { path: Some("/team/".to_owned()), ..named("a") }).await;
    let local = ListPoliciesRequest { scope: Some(PolicyScopeType::Local), ..Default::default() };
    assert_eq!(names(&iam, local.clone()).await, ["a", "b"]);
    let team = ListPoliciesRequest { path_prefix: Some("/team/".to_owned()), ..Default::default() };
    assert_eq!(names(&iam, team).await, ["a"]);
    let aws = ListPoliciesRequest { scope: Some(PolicyScopeType::Aws), ..Default::default() };
    assert!(names(&iam, aws).await.contains(&"AdministratorAccess".to_owned()));
    let all =
        list_policies(iam.clone(), cx(), ListPoliciesRequest { max_items: Some(3), ..Default::default() });
    assert_eq!(all.await.unwrap().is_truncated, Some(true));
    let boundaries = ListPoliciesRequest {
        policy_usage_filter: Some(PolicyUsageType::PermissionsBoundary),
        ..Default::default()
    };
    assert_eq!(names(&iam, boundaries).await, Vec::<String>::new());

    let role = CreateRoleRequest {
        role_name: "r".to_owned(),
        assume_role_policy_document: TRUST_LAMBDA.to_owned(),
        ..Default::default()
    };
    create_role(iam.clone(), cx(), role).await.unwrap();
    let attach = AttachRolePolicyRequest { role_name: "r".to_owned(), policy_arn: ADMIN.to_owned() };
    attach_role_policy(iam.clone(), cx(), attach).await.unwrap();
    let attached = ListPoliciesRequest { only_attached: Some(true), ..Default::default() };
    assert_eq!(names(&iam, attached).await, ["AdministratorAccess"]);
}

#[tokio::test]
async fn every_page_of_all_policies_is_reached() {
    let iam = iam();
    create(&iam, named("a")).await;
    let (mut marker, mut found) = (None, Vec::new());
    loop {
        let input = ListPoliciesRequest { max_items: Some(7), marker, ..Default::default() };
        let listed = list_policies(iam.clone(), cx(), input).await.unwrap();
        found.extend(listed.policies.unwrap().into_iter().map(|policy| policy.arn.unwrap()));
        marker = listed.marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), managed::all().count() + 1);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), managed::all().count() + 1);
}

#[tokio::test]
async fn tags_are_added_listed_and_removed() {
    let iam = iam();
    let arn = create(&iam, named("p")).await.arn.unwrap();
    let tags = vec![Tag { key: "a".to_owned(), value: "1".to_owned() }];
    let tag = TagPolicyRequest { policy_arn: arn.clone(), tags: tags.clone() };
    tag_policy(iam.clone(), cx(), tag).await.unwrap();
    let list = ListPolicyTagsRequest { policy_arn: arn.clone(), ..Default::default() };
    assert_eq!(list_policy_tags(iam.clone(), cx(), list.clone()).await.unwrap().tags, tags);
    let untag = UntagPolicyRequest { policy_arn: arn, tag_keys: vec!["a".to_owned()] };
    untag_policy(iam.clone(), cx(), untag).await.unwrap();
    assert_eq!(list_policy_tags(iam, cx(), list).await.unwrap().tags, []);
}

#[tokio::test]
async fn a_deleted_policy_is_gone() {
    let iam = iam();
    let arn = create(&iam, named("p")).await.arn.unwrap();
    delete_policy(iam.clone(), cx(), DeletePolicyRequest { policy_arn: arn.clone() }).await.unwrap();
    assert!(get(&iam, &arn).await.is_err());
}
