use std::collections::BTreeMap;

use domain::Timestamp;
use expect_test::expect;
use wire::{Context, Error, Service, Unit};

use crate::harness::Call;
use crate::iam_shapes as shapes;

async fn create(
    _: (),
    _: Context,
    input: shapes::CreateRoleRequest,
) -> Result<shapes::CreateRoleResponse, Error> {
    let role = shapes::Role {
        path: input.path.unwrap_or("/".into()),
        role_name: input.role_name,
        create_date: Timestamp(1_784_000_000_000),
        assume_role_policy_document: Some(input.assume_role_policy_document),
        tags: input.tags,
        ..Default::default()
    };
    Ok(shapes::CreateRoleResponse { role })
}

async fn get(_: (), _: Context, _: shapes::GetRoleRequest) -> Result<shapes::GetRoleResponse, Error> {
    Err(Error::new("NoSuchEntity", "The role with name <x> cannot be found."))
}

async fn list(_: (), _: Context, _: shapes::ListRolesRequest) -> Result<shapes::ListRolesResponse, Error> {
    Ok(shapes::ListRolesResponse { roles: vec![], is_truncated: Some(false), marker: None })
}

async fn delete(_: (), _: Context, _: shapes::DeleteRoleRequest) -> Result<Unit, Error> {
    Ok(Unit {})
}

async fn summary(_: (), _: Context, _: Unit) -> Result<shapes::GetAccountSummaryResponse, Error> {
    Ok(shapes::GetAccountSummaryResponse { summary_map: Some(BTreeMap::from([("Users".into(), 2)])) })
}

pub fn service() -> Service {
    Service::new(&shapes::SERVICE, ())
        .on::<shapes::CreateRole>(create)
        .on::<shapes::GetRole>(get)
        .on::<shapes::ListRoles>(list)
        .on::<shapes::DeleteRole>(delete)
        .on::<shapes::GetAccountSummary>(summary)
        .build()
}

async fn check(form: &str, expected: expect_test::Expect) {
    expected.assert_eq(&Call::post("/", form).show(&service()).await);
}

#[tokio::test]
async fn forms_become_structures_and_answers_xml() {
    check(
        "Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B%22a%22%3A+%22%26%22%7D\
         &Tags.member.2.Key=b&Tags.member.2.Value=&Tags.member.10.Key=c&Tags.member.10.Value=3&Tags.member.1.Key=a&Tags.member.1.Value=1",
        expect![[r#"
            200
            content-type: text/xml
            <CreateRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><CreateRoleResult><Role><Path>/</Path><RoleName>r</RoleName><RoleId></RoleId><Arn></Arn><CreateDate>2026-07-14T03:33:20Z</CreateDate><AssumeRolePolicyDocument>{&quot;a&quot;: &quot;&amp;&quot;}</AssumeRolePolicyDocument><Tags><member><Key>a</Key><Value>1</Value></member><member><Key>b</Key><Value></Value></member><member><Key>c</Key><Value>3</Value></member></Tags></Role></CreateRoleResult><ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata></CreateRoleResponse>"#]],
    )
    .await;
}

#[tokio::test]
async fn an_empty_list_is_there() {
    check("Action=ListRoles&Version=2010-05-08", expect![[r#"
        200
        content-type: text/xml
        <ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolesResult><Roles></Roles><IsTruncated>false</IsTruncated></ListRolesResult><ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata></ListRolesResponse>"#]]).await;
}

#[tokio::test]
async fn maps_are_entries() {
    check("Action=GetAccountSummary&Version=2010-05-08", expect![[r#"
        200
        content-type: text/xml
        <GetAccountSummaryResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetAccountSummaryResult><SummaryMap><entry><key>Users</key><value>2</value></entry></SummaryMap></GetAccountSummaryResult><ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata></GetAccountSummaryResponse>"#]]).await;
}

#[tokio::test]
async fn an_answer_without_members_is_metadata() {
    check("Action=DeleteRole&Version=2010-05-08&RoleName=r", expect![[r#"
        200
        content-type: text/xml
        <DeleteRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata></DeleteRoleResponse>"#]]).await;
}

#[tokio::test]
async fn errors_have_the_traits_code_and_status() {
    check("Action=GetRole&Version=2010-05-08&RoleName=x", expect![[r#"
        404
        content-type: text/xml
        <ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>The role with name &lt;x&gt; cannot be found.</Message></Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"#]]).await;
}

#[tokio::test]
async fn wrong_numbers_and_indices_are_malformed_input() {
    for (form, message) in [
        ("Action=ListRoles&MaxItems=many", "STRING_VALUE can not be converted to an Integer"),
        ("Action=ListRoles&MaxItems.member.1=1", "Start of structure or map found where not expected."),
        ("Action=CreateRole&Tags.member.x.Key=k", "&quot;x&quot; is no index of a list"),
        ("Action=ListRoles&Marker=%ff", "The request's parameters are not UTF-8"),
    ] {
        let answer = Call::post("/", form).show(&service()).await;
        assert!(
            answer.contains(&format!("<Code>MalformedInput</Code><Message>{message}</Message>")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn unknown_and_unwritten_actions_say_so() {
    for (form, status, text) in [
        (
            "Action=CreateGroup&Version=2010-05-08",
            "501",
            "<Code>NotImplemented</Code><Message>Hearth does not implement iam CreateGroup yet.</Message>",
        ),
        (
            "Action=Nonsense&Version=2010-05-08",
            "400",
            "<Code>InvalidAction</Code><Message>Could not find operation Nonsense for version 2010-05-08</Message>",
        ),
        ("Action=GetRole&Version=1999-01-01", "400", "<Code>InvalidAction</Code>"),
        ("RoleName=x", "400", "<Code>MissingAction</Code>"),
    ] {
        let answer = Call::post("/", form).show(&service()).await;
        assert!(answer.starts_with(status) && answer.contains(text), "{form}: {answer}");
    }
}
