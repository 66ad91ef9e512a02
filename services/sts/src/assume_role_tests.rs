use iam::shapes::CreateRoleRequest;

use super::*;
use crate::testing::{NOW, cx_of, sts};

const ROLE_ARN: &str = "arn:aws:iam::000000000000:role/team/worker";

fn user() -> Principal {
    Principal::User {
        account: Account::default(),
        name: "sam".to_owned(),
        id: "AIDAEXAMPLE".to_owned(),
        path: "/".to_owned(),
    }
}

fn session_of(role: &str) -> Principal {
    Principal::AssumedRole {
        account: Account::default(),
        role: role.to_owned(),
        role_id: "AROAEXAMPLE".to_owned(),
        session: "s".to_owned(),
        source_function: None,
    }
}

/// A server with the role `team/worker`, which trusts `principal`.
async fn sts_trusting(principal: &str, rest: &str) -> Sts {
    let sts = sts();
    let input = CreateRoleRequest {
        role_name: "worker".to_owned(),
        path: Some("/team/".to_owned()),
        max_session_duration: Some(7_200),
        assume_role_policy_document: format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"{rest}}}]}}"#
        ),
        ..CreateRoleRequest::default()
    };
    iam::roles::create_role(sts.iam.clone(), cx_of(Principal::Root(Account::default())), input)
        .await
        .unwrap();
    sts
}

fn input() -> AssumeRoleRequest {
    AssumeRoleRequest {
        role_arn: ROLE_ARN.to_owned(),
        role_session_name: "ci".to_owned(),
        ..AssumeRoleRequest::default()
    }
}

#[track_caller]
fn check_error(result: Result<AssumeRoleResponse, Error>, expected: &str) {
    assert_eq!(result.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn a_trusted_caller_gets_credentials_of_the_role() {
    let sts = sts_trusting(r#"{"AWS":"000000000000"}"#, "").await;
    let response = assume_role(sts.clone(), cx_of(user()), input()).await.unwrap();
    let role = sts.iam.role(&Account::default(), ROLE_ARN).unwrap().unwrap();
    let assumed = response.assumed_role_user.unwrap();
    assert_eq!(assumed.arn, "arn:aws:sts::000000000000:assumed-role/worker/ci");
    assert_eq!(assumed.assumed_role_id, format!("{}:ci", role.id));
    let credentials = response.credentials.unwrap();
    assert_eq!(credentials.expiration.0 - NOW.0, 3_600_000);
    let (secret, principal) =
        sts.iam.sessions().verify(&credentials.access_key_id, &credentials.session_token, NOW).unwrap();
    assert_eq!(secret, credentials.secret_access_key);
    assert_eq!(arn_of(&principal), assumed.arn);
}

#[tokio::test]
async fn the_accounts_holder_may_assume_a_role_that_trusts_the_account() {
    let sts = sts_trusting(r#"{"AWS":"arn:aws:iam::000000000000:root"}"#, "").await;
    assert!(assume_role(sts, cx_of(Principal::Root(Account::default())), input()).await.is_ok());
}

#[tokio::test]
async fn a_session_is_trusted_as_itself_or_as_its_role() {
    for arn in [ROLE_ARN, "arn:aws:sts::000000000000:assumed-role/worker/s"] {
        let sts = sts_trusting(&format!(r#"{{"AWS":"{arn}"}}"#), "").await;
        assert!(assume_role(sts.clone(), cx_of(session_of("worker")), input()).await.is_ok(), "{arn}");
        assert!(assume_role(sts, cx_of(session_of("another")), input()).await.is_err(), "{arn}");
    }
}

#[tokio::test]
async fn a_caller_that_is_not_trusted_and_a_role_that_does_not_exist_are_refused_alike() {
    let sts = sts_trusting(r#"{"Service":"lambda.amazonaws.com"}"#, "").await;
    check_error(
        assume_role(sts.clone(), cx_of(user()), input()).await,
        "AccessDenied: User: arn:aws:iam::000000000000:user/sam is not authorized to perform: sts:AssumeRole on \
         resource: arn:aws:iam::000000000000:role/team/worker",
    );
    for arn in ["arn:aws:iam::000000000000:role/worker", "arn:aws:iam::111111111111:role/team/worker"] {
        let input = AssumeRoleRequest { role_arn: arn.to_owned(), ..input() };
        check_error(
            assume_role(sts.clone(), cx_of(user()), input).await,
            &format!(
                "AccessDenied: User: arn:aws:iam::000000000000:user/sam is not authorized to perform: \
                 sts:AssumeRole on resource: {arn}"
            ),
        );
    }
}

#[tokio::test]
async fn an_external_id_must_be_the_one_that_the_role_asks_for() {
    let condition = r#","Condition":{"StringEquals":{"sts:ExternalId":"42"}}"#;
    let sts = sts_trusting(r#"{"AWS":"*"}"#, condition).await;
    let with = |id: &str| AssumeRoleRequest { external_id: Some(id.to_owned()), ..input() };
    assert!(assume_role(sts.clone(), cx_of(user()), with("42")).await.is_ok());
    assert!(assume_role(sts.clone(), cx_of(user()), with("43")).await.is_err());
    assert!(assume_role(sts, cx_of(user()), input()).await.is_err());
}

#[tokio::test]
async fn a_session_lasts_as_long_as_the_role_allows() {
    let sts = sts_trusting(r#"{"AWS":"*"}"#, "").await;
    let lasting = |seconds| AssumeRoleRequest { duration_seconds: Some(seconds), ..input() };
    let response = assume_role(sts.clone(), cx_of(user()), lasting(7_200)).await.unwrap();
    assert_eq!(response.credentials.unwrap().expiration.0 - NOW.0, 7_200_000);
    check_error(
        assume_role(sts.clone(), cx_of(user()), lasting(7_201)).await,
        "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    );
    check_error(
        assume_role(sts, cx_of(session_of("worker")), lasting(3_601)).await,
        "ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role \
         chaining.",
    );
}

#[tokio::test]
async fn what_would_narrow_a_session_is_refused_and_not_ignored() {
    let sts = sts_trusting(r#"{"AWS":"*"}"#, "").await;
    let narrowed = AssumeRoleRequest { policy: Some("{}".to_owned()), ..input() };
    check_error(
        assume_role(sts.clone(), cx_of(user()), narrowed).await,
        "NotImplemented: Hearth does not support Policy yet. Leave it out.",
    );
    let with_code = AssumeRoleRequest { token_code: Some("123456".to_owned()), ..input() };
    assert_eq!(assume_role(sts, cx_of(user()), with_code).await.unwrap_err().code, "AccessDenied");
}

#[tokio::test]
async fn an_arn_that_is_no_roles_is_invalid() {
    for arn in ["arn:aws:iam::000000000000:user/sam", "arn:aws:lambda:eu-west-1:000000000000:function:f"] {
        let input = AssumeRoleRequest { role_arn: arn.to_owned(), ..input() };
        check_error(
            assume_role(sts(), cx_of(user()), input).await,
            &format!("ValidationError: {arn} is invalid"),
        );
    }
}
