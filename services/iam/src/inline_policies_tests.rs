use super::*;
use crate::roles::{create_role, delete_role};
use crate::shapes::{CreateRoleRequest, CreateUserRequest, DeleteRoleRequest};
use crate::testing::{ALLOW_S3, TRUST_LAMBDA, check_error, cx, iam};
use crate::users::create_user;

/// An IAM with the role and the user `sam`.
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
    iam
}

async fn put_in_role(iam: &Iam, name: &str, document: &str) -> Result<Unit, Error> {
    let input = PutRolePolicyRequest {
        role_name: "sam".to_owned(),
        policy_name: name.to_owned(),
        policy_document: document.to_owned(),
    };
    put_role_policy(iam.clone(), cx(), input).await
}

async fn put_in_user(iam: &Iam, name: &str, document: &str) -> Result<Unit, Error> {
    let input = PutUserPolicyRequest {
        user_name: "sam".to_owned(),
        policy_name: name.to_owned(),
        policy_document: document.to_owned(),
    };
    put_user_policy(iam.clone(), cx(), input).await
}

/// A document of exactly so many characters that count.
fn document_of(chars: usize) -> String {
    let frame = ALLOW_S3.replace("s3:GetObject", "s3:");
    ALLOW_S3.replace("s3:GetObject", &format!("s3:{}", "x".repeat(chars - frame.len())))
}

#[tokio::test]
async fn a_roles_policy_is_put_got_replaced_listed_and_deleted() {
    let iam = with_sam().await;
    put_in_role(&iam, "b", ALLOW_S3).await.unwrap();
    put_in_role(&iam, "a", ALLOW_S3).await.unwrap();
    let changed = ALLOW_S3.replace("Get", "Put");
    put_in_role(&iam, "b", &changed).await.unwrap();
    let input = GetRolePolicyRequest { role_name: "sam".to_owned(), policy_name: "b".to_owned() };
    let got = get_role_policy(iam.clone(), cx(), input.clone()).await.unwrap();
    assert_eq!((got.role_name.as_str(), got.policy_name.as_str()), ("sam", "b"));
    assert_eq!(got.policy_document, url_encoded(&changed));
    let list = ListRolePoliciesRequest { role_name: "sam".to_owned(), ..Default::default() };
    assert_eq!(list_role_policies(iam.clone(), cx(), list).await.unwrap().policy_names, ["a", "b"]);
    let delete = DeleteRolePolicyRequest { role_name: "sam".to_owned(), policy_name: "b".to_owned() };
    delete_role_policy(iam.clone(), cx(), delete.clone()).await.unwrap();
    let gone = "NoSuchEntity: The role policy with name b cannot be found.";
    check_error(get_role_policy(iam.clone(), cx(), input).await, gone);
    check_error(delete_role_policy(iam, cx(), delete).await, gone);
}

#[tokio::test]
async fn a_users_policy_is_the_users_and_not_the_roles_of_the_same_name() {
    let iam = with_sam().await;
    put_in_user(&iam, "p", ALLOW_S3).await.unwrap();
    let list = ListRolePoliciesRequest { role_name: "sam".to_owned(), ..Default::default() };
    assert_eq!(list_role_policies(iam.clone(), cx(), list).await.unwrap().policy_names, Vec::<String>::new());
    let list = ListUserPoliciesRequest { user_name: "sam".to_owned(), ..Default::default() };
    assert_eq!(list_user_policies(iam.clone(), cx(), list).await.unwrap().policy_names, ["p"]);
    let get = GetUserPolicyRequest { user_name: "sam".to_owned(), policy_name: "p".to_owned() };
    let got = get_user_policy(iam.clone(), cx(), get.clone()).await.unwrap();
    assert_eq!(got.policy_document, url_encoded(ALLOW_S3));
    let delete = DeleteUserPolicyRequest { user_name: "sam".to_owned(), policy_name: "p".to_owned() };
    delete_user_policy(iam.clone(), cx(), delete).await.unwrap();
    let gone = "NoSuchEntity: The user policy with name p cannot be found.";
    check_error(get_user_policy(iam, cx(), get).await, gone);
}

#[tokio::test]
async fn all_policies_of_a_role_share_10240_characters_and_of_a_user_2048() {
    let iam = with_sam().await;
    put_in_role(&iam, "a", &document_of(10_000)).await.unwrap();
    put_in_role(&iam, "b", &document_of(240)).await.unwrap();
    check_error(
        put_in_role(&iam, "c", ALLOW_S3).await,
        "LimitExceeded: Maximum policy size of 10240 bytes exceeded for role sam",
    );
    // Replaced, not added; and white space is free.
    put_in_role(&iam, "a", &format!("{}{}", document_of(10_000), " ".repeat(100))).await.unwrap();
    put_in_user(&iam, "a", &document_of(2_048)).await.unwrap();
    check_error(
        put_in_user(&iam, "a", &document_of(2_049)).await,
        "LimitExceeded: Maximum policy size of 2048 bytes exceeded for user sam",
    );
}

#[tokio::test]
async fn a_malformed_document_is_refused() {
    let iam = with_sam().await;
    check_error(
        put_in_role(&iam, "p", TRUST_LAMBDA).await,
        "MalformedPolicyDocument: Policy document should not specify a principal.",
    );
    check_error(put_in_user(&iam, "p", "{").await, "MalformedPolicyDocument: Syntax errors in policy.");
}

#[tokio::test]
async fn a_role_with_policies_cannot_be_deleted() {
    let iam = with_sam().await;
    put_in_role(&iam, "p", ALLOW_S3).await.unwrap();
    check_error(
        delete_role(iam, cx(), DeleteRoleRequest { role_name: "sam".to_owned() }).await,
        "DeleteConflict: Cannot delete entity, must delete policies first.",
    );
}

#[tokio::test]
async fn a_role_may_do_what_its_policies_allow() {
    let iam = with_sam().await;
    let decide = |action: &str, resource: &str| decide(&iam, SAM, action, resource);
    assert_eq!(decide("sqs:SendMessage", QUEUE), policy::Decision::ImplicitlyDenied);
    let statement = |effect: &str, action: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"{action}","Resource":"{QUEUE}"}}]}}"#
        )
    };
    put_in_role(&iam, "send", &statement("Allow", "sqs:Send*")).await.unwrap();
    assert_eq!(decide("sqs:SendMessage", QUEUE), policy::Decision::Allowed);
    assert_eq!(decide("sqs:DeleteMessage", QUEUE), policy::Decision::ImplicitlyDenied);
    assert_eq!(
        decide("sqs:SendMessage", "arn:aws:sqs:us-east-1:000000000000:other"),
        policy::Decision::ImplicitlyDenied
    );
    put_in_role(&iam, "never", &statement("Deny", "*")).await.unwrap();
    assert_eq!(decide("sqs:SendMessage", QUEUE), policy::Decision::ExplicitlyDenied);
    // AWS's own policies count, too.
    let attach = crate::shapes::AttachRolePolicyRequest {
        role_name: "sam".to_owned(),
        policy_arn: "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole".to_owned(),
    };
    crate::attachments::attach_role_policy(iam.clone(), cx(), attach).await.unwrap();
    assert_eq!(
        decide("logs:PutLogEvents", "arn:aws:logs:us-east-1:000000000000:log-group:g"),
        policy::Decision::Allowed
    );
    // Who is not there may do nothing.
    let gone = self::decide(&iam, "arn:aws:iam::000000000000:role/gone", "sqs:SendMessage", QUEUE);
    assert_eq!(gone, policy::Decision::ImplicitlyDenied);
}

#[tokio::test]
async fn conditions_ask_about_the_role_the_moment_and_the_resource() {
    let iam = with_sam().await;
    let id = iam.role_id(SAM);
    let userid = format!(r#"{{"StringEquals":{{"aws:userid":"{id}:f"}}}}"#);
    for (condition, allowed) in [
        (r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::000000000000:role/sam"}}"#, true),
        (r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::000000000000:role/other"}}"#, false),
        (
            r#"{"StringEquals":{"aws:PrincipalAccount":"000000000000","aws:PrincipalType":"AssumedRole"}}"#,
            true,
        ),
        (r#"{"StringEquals":{"aws:PrincipalAccount":"111111111111"}}"#, false),
        (&userid, true),
        (r#"{"StringEquals":{"aws:ResourceAccount":"000000000000"}}"#, true),
        (r#"{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}"#, true),
        (r#"{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}"#, false),
        (r#"{"Bool":{"aws:SecureTransport":"true","aws:ViaAWSService":"false"}}"#, true),
        (r#"{"Bool":{"aws:PrincipalIsAWSService":"true"}}"#, false),
        (r#"{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}"#, true),
        (r#"{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}"#, false),
        // What Lambda does in the role's name is not what the function does.
        (r#"{"ArnLike":{"lambda:SourceFunctionArn":"*"}}"#, false),
    ] {
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"sqs:*","Resource":"*","Condition":{condition}}}]}}"#
        );
        put_in_role(&iam, "p", &document).await.unwrap();
        let decision = decide(&iam, SAM, "sqs:SendMessage", QUEUE);
        assert_eq!(decision.is_allowed(), allowed, "{condition}");
    }
}

const SAM: &str = "arn:aws:iam::000000000000:role/sam";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

fn decide(iam: &Iam, role_arn: &str, action: &str, resource: &str) -> policy::Decision {
    let keys = &policy::Context::new().with("aws:RequestedRegion", "us-east-1");
    iam.role_allows(&crate::RoleDeed { role_arn, session: "f", action, resource, keys }).unwrap()
}
