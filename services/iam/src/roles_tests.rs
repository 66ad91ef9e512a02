use super::*;
use crate::shapes::Tag;
use crate::testing::{TRUST_LAMBDA, check_error, cx, iam};

const LAMBDA: &str = "lambda.amazonaws.com";

fn named(name: &str) -> CreateRoleRequest {
    CreateRoleRequest {
        role_name: name.to_owned(),
        assume_role_policy_document: TRUST_LAMBDA.to_owned(),
        ..CreateRoleRequest::default()
    }
}

async fn create(iam: &Iam, input: CreateRoleRequest) -> shapes::Role {
    create_role(iam.clone(), cx(), input).await.unwrap().role
}

async fn get(iam: &Iam, name: &str) -> Result<shapes::Role, Error> {
    Ok(get_role(iam.clone(), cx(), GetRoleRequest { role_name: name.to_owned() }).await?.role)
}

async fn list(iam: &Iam, input: ListRolesRequest) -> Vec<String> {
    let listed = list_roles(iam.clone(), cx(), input).await.unwrap();
    listed.roles.into_iter().map(|role| role.role_name).collect()
}

async fn delete(iam: &Iam, name: &str) -> Result<Unit, Error> {
    delete_role(iam.clone(), cx(), DeleteRoleRequest { role_name: name.to_owned() }).await
}

#[tokio::test]
async fn a_role_is_got_as_it_was_created() {
    let iam = iam();
    let created = create(
        &iam,
        CreateRoleRequest {
            path: Some("/service-role/".to_owned()),
            description: Some("runs f".to_owned()),
            max_session_duration: Some(7_200),
            tags: Some(vec![Tag { key: "team".to_owned(), value: "a".to_owned() }]),
            ..named("Basic")
        },
    )
    .await;
    assert_eq!(created.arn, "arn:aws:iam::000000000000:role/service-role/Basic");
    assert!(created.role_id.starts_with("AROA"));
    assert_eq!(created.max_session_duration, Some(7_200));
    let got = get(&iam, "Basic").await.unwrap();
    assert_eq!(got.role_last_used, Some(RoleLastUsed::default()));
    assert_eq!(shapes::Role { role_last_used: None, ..got }, created);
}

#[tokio::test]
async fn moments_are_whole_seconds() {
    let iam = iam();
    for name in ["a", "b", "c"] {
        assert_eq!(create(&iam, named(name)).await.create_date.0 % 1_000, 0);
    }
}

#[tokio::test]
async fn a_trust_policy_comes_back_url_encoded_and_to_the_letter() {
    let iam = iam();
    let document = format!(" {TRUST_LAMBDA}\n");
    create(&iam, CreateRoleRequest { assume_role_policy_document: document.clone(), ..named("r") }).await;
    let encoded = get(&iam, "r").await.unwrap().assume_role_policy_document.unwrap();
    assert!(encoded.starts_with("%20%7B%22Version%22%3A%222012-10-17%22"), "{encoded}");
    let decoded = percent_encoding::percent_decode_str(&encoded).decode_utf8().unwrap();
    assert_eq!(decoded, document);
}

#[tokio::test]
async fn a_name_is_taken_whatever_its_case() {
    let iam = iam();
    create(&iam, named("Basic")).await;
    for name in ["Basic", "basic"] {
        check_error(
            create_role(iam.clone(), cx(), named(name)).await,
            &format!("EntityAlreadyExists: Role with name {name} already exists."),
        );
    }
}

#[tokio::test]
async fn a_role_that_does_not_exist_cannot_be_found() {
    let iam = iam();
    let expected = "NoSuchEntity: The role with name gone cannot be found.";
    check_error(get(&iam, "gone").await, expected);
    check_error(delete(&iam, "gone").await, expected);
    let name = || "gone".to_owned();
    check_error(
        tag_role(iam.clone(), cx(), TagRoleRequest { role_name: name(), tags: vec![] }).await,
        expected,
    );
    let input = UpdateRoleRequest { role_name: name(), ..Default::default() };
    check_error(update_role(iam.clone(), cx(), input).await, expected);
    let input = ListInstanceProfilesForRoleRequest { role_name: name(), ..Default::default() };
    check_error(list_instance_profiles_for_role(iam, cx(), input).await, expected);
}

#[tokio::test]
async fn a_refused_role_is_not_created() {
    let iam = iam();
    let input = CreateRoleRequest { assume_role_policy_document: "{}".to_owned(), ..named("r") };
    check_error(
        create_role(iam.clone(), cx(), input).await,
        "MalformedPolicyDocument: Missing required field Statement",
    );
    let long =
        TRUST_LAMBDA.replace("2012-10-17\",", &format!("2012-10-17\",\"Id\":\"{}\",", "x".repeat(2_048)));
    let input = CreateRoleRequest { assume_role_policy_document: long, ..named("r") };
    check_error(
        create_role(iam.clone(), cx(), input).await,
        "LimitExceeded: Cannot exceed quota for ACLSizePerRole: 2048",
    );
    let boundary = Some("arn:aws:iam::aws:policy/AdministratorAccess".to_owned());
    let input = CreateRoleRequest { permissions_boundary: boundary, ..named("r") };
    check_error(
        create_role(iam.clone(), cx(), input).await,
        "NotImplemented: Hearth does not support PermissionsBoundary yet. Leave it out.",
    );
    assert!(get(&iam, "r").await.is_err());
}

#[tokio::test]
async fn roles_are_listed_by_name_in_pages_and_by_path() {
    let iam = iam();
    for (name, path) in [("b", "/x/y/"), ("C", "/"), ("a", "/x/")] {
        let tags = Some(vec![Tag { key: "k".to_owned(), value: String::new() }]);
        create(&iam, CreateRoleRequest { path: Some(path.to_owned()), tags, ..named(name) }).await;
    }
    assert_eq!(list(&iam, ListRolesRequest::default()).await, ["a", "b", "C"]);
    let below = ListRolesRequest { path_prefix: Some("/x/".to_owned()), ..Default::default() };
    assert_eq!(list(&iam, below).await, ["a", "b"]);
    let two = ListRolesRequest { max_items: Some(2), ..Default::default() };
    let first = list_roles(iam.clone(), cx(), two).await.unwrap();
    assert_eq!((first.roles.len(), first.is_truncated), (2, Some(true)));
    assert!(first.roles.iter().all(|role| role.tags.is_none()));
    assert_eq!(list(&iam, ListRolesRequest { marker: first.marker, ..Default::default() }).await, ["C"]);
}

#[tokio::test]
async fn accounts_do_not_see_each_others_roles() {
    let iam = iam();
    create(&iam, named("r")).await;
    let other = crate::testing::cx_of(domain::Principal::Root(Account::parse("111111111111").unwrap()));
    let listed = list_roles(iam, other, ListRolesRequest::default()).await.unwrap();
    assert_eq!(listed.roles, []);
}

#[tokio::test]
async fn updates_are_seen_by_the_next_get() {
    let iam = iam();
    create(&iam, named("r")).await;
    let name = || "r".to_owned();
    let input = UpdateRoleRequest {
        role_name: name(),
        description: Some("d".to_owned()),
        max_session_duration: Some(43_200),
    };
    update_role(iam.clone(), cx(), input).await.unwrap();
    let got = get(&iam, "r").await.unwrap();
    assert_eq!((got.description.as_deref(), got.max_session_duration), (Some("d"), Some(43_200)));
    let input = UpdateRoleDescriptionRequest { role_name: name(), description: "e".to_owned() };
    let updated = update_role_description(iam.clone(), cx(), input).await.unwrap();
    assert_eq!(updated.role.unwrap().description.as_deref(), Some("e"));
    let trust = TRUST_LAMBDA.replace("lambda", "ec2");
    let input = UpdateAssumeRolePolicyRequest { role_name: name(), policy_document: trust };
    update_assume_role_policy(iam.clone(), cx(), input).await.unwrap();
    assert!(get(&iam, "r").await.unwrap().assume_role_policy_document.unwrap().contains("ec2"));
    assert!(!iam.assumable_by_service("arn:aws:iam::000000000000:role/r", LAMBDA));
}

#[tokio::test]
async fn tags_are_added_listed_and_removed() {
    let iam = iam();
    create(&iam, named("r")).await;
    let tags = ["a", "b"].map(|key| Tag { key: key.to_owned(), value: "1".to_owned() }).to_vec();
    tag_role(iam.clone(), cx(), TagRoleRequest { role_name: "r".to_owned(), tags: tags.clone() })
        .await
        .unwrap();
    let input = ListRoleTagsRequest { role_name: "r".to_owned(), ..Default::default() };
    assert_eq!(list_role_tags(iam.clone(), cx(), input.clone()).await.unwrap().tags, tags);
    let untag = UntagRoleRequest { role_name: "r".to_owned(), tag_keys: vec!["a".to_owned()] };
    untag_role(iam.clone(), cx(), untag).await.unwrap();
    assert_eq!(list_role_tags(iam.clone(), cx(), input).await.unwrap().tags, tags[1..]);
    assert_eq!(get(&iam, "r").await.unwrap().tags.as_deref(), Some(&tags[1..]));
}

#[tokio::test]
async fn a_deleted_role_is_gone_and_its_successor_is_another() {
    let iam = iam();
    let first = create(&iam, named("r")).await;
    delete(&iam, "r").await.unwrap();
    assert_eq!(list(&iam, ListRolesRequest::default()).await, Vec::<String>::new());
    assert_ne!(create(&iam, named("r")).await.role_id, first.role_id);
}

#[tokio::test]
async fn a_role_has_no_instance_profiles() {
    let iam = iam();
    create(&iam, named("r")).await;
    let input = ListInstanceProfilesForRoleRequest { role_name: "r".to_owned(), ..Default::default() };
    let listed = list_instance_profiles_for_role(iam, cx(), input).await.unwrap();
    assert_eq!((listed.instance_profiles, listed.is_truncated), (vec![], Some(false)));
}

#[tokio::test]
async fn lambda_may_assume_a_role_by_its_exact_arn_only() {
    let iam = iam();
    create(&iam, CreateRoleRequest { path: Some("/service-role/".to_owned()), ..named("Basic") }).await;
    assert!(iam.assumable_by_service("arn:aws:iam::000000000000:role/service-role/Basic", LAMBDA));
    for arn in [
        "arn:aws:iam::000000000000:role/Basic",
        "arn:aws:iam::000000000000:role/service-role/basic",
        "arn:aws:iam::111111111111:role/service-role/Basic",
        "arn:aws:iam::000000000000:role/gone",
        "",
    ] {
        assert!(!iam.assumable_by_service(arn, LAMBDA), "{arn}");
    }
}

#[tokio::test]
async fn a_functions_session_is_of_its_role() {
    let iam = iam();
    let role = create(&iam, CreateRoleRequest { path: Some("/p/".to_owned()), ..named("Basic") }).await;
    let expires = domain::Timestamp(2_000_000_000_000);
    for (arn, role_id) in
        [(role.arn.as_str(), Some(&role.role_id)), ("arn:aws:iam::000000000000:role/gone", None)]
    {
        let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
        let credentials = iam.mint_for_function(arn, function, expires);
        let verified =
            iam.sessions().verify(&credentials.access_key_id, &credentials.session_token, iam.now()).unwrap();
        let caller = iam.caller(&verified.1).unwrap();
        let keys = iam.condition_keys(&verified.1, &caller);
        assert_eq!(keys, keys.clone().with("lambda:SourceFunctionArn", function));
        let domain::Principal::AssumedRole { role, role_id: found, session, .. } = verified.1 else {
            panic!()
        };
        assert_eq!((role.as_str(), session.as_str()), (arn.rsplit('/').next().unwrap(), "f"));
        assert!(role_id.is_none_or(|id| *id == found) && found.starts_with("AROA"));
    }
}
