use super::*;
use crate::access_keys;
use crate::shapes::{CreateAccessKeyRequest, Tag};
use crate::testing::{check_error, cx, cx_of, iam};

async fn create(iam: &Iam, name: &str, path: &str) -> shapes::User {
    let input = CreateUserRequest {
        user_name: name.to_owned(),
        path: Some(path.to_owned()),
        ..CreateUserRequest::default()
    };
    create_user(iam.clone(), cx(), input).await.unwrap().user.unwrap()
}

async fn get(iam: &Iam, name: &str) -> Result<shapes::User, Error> {
    Ok(get_user(iam.clone(), cx(), GetUserRequest { user_name: Some(name.to_owned()) }).await?.user)
}

#[tokio::test]
async fn a_user_is_got_as_created() {
    let iam = iam();
    let created = create(&iam, "Sam", "/team/").await;
    assert_eq!(created.arn, "arn:aws:iam::000000000000:user/team/Sam");
    assert!(created.user_id.starts_with("AIDA"));
    assert_eq!(get(&iam, "Sam").await.unwrap(), created);
}

#[tokio::test]
async fn a_name_that_is_taken_or_missing_is_said_so() {
    let iam = iam();
    create(&iam, "sam", "/").await;
    let input = CreateUserRequest { user_name: "SAM".to_owned(), ..Default::default() };
    check_error(
        create_user(iam.clone(), cx(), input).await,
        "EntityAlreadyExists: User with name SAM already exists.",
    );
    check_error(get(&iam, "kim").await, "NoSuchEntity: The user with name kim cannot be found.");
}

#[tokio::test]
async fn without_a_name_the_caller_is_meant() {
    let iam = iam();
    let sam = create(&iam, "sam", "/").await;
    let caller = Principal::User {
        account: Account::default(),
        name: "sam".to_owned(),
        id: sam.user_id.clone(),
        path: "/".to_owned(),
    };
    let got = get_user(iam.clone(), cx_of(caller), GetUserRequest::default()).await.unwrap();
    assert_eq!(got.user, sam);
    check_error(
        get_user(iam, cx(), GetUserRequest::default()).await,
        "ValidationError: Must specify userName when calling with non-User credentials",
    );
}

#[tokio::test]
async fn users_are_listed_by_path() {
    let iam = iam();
    create(&iam, "b", "/x/").await;
    create(&iam, "a", "/").await;
    for (prefix, names) in [("/", vec!["a", "b"]), ("/x/", vec!["b"]), ("/y/", vec![])] {
        let input = ListUsersRequest { path_prefix: Some(prefix.to_owned()), ..Default::default() };
        let listed = list_users(iam.clone(), cx(), input).await.unwrap().users;
        assert_eq!(listed.iter().map(|user| user.user_name.as_str()).collect::<Vec<_>>(), names, "{prefix}");
    }
}

#[tokio::test]
async fn a_renamed_user_keeps_id_and_keys() {
    let iam = iam();
    let sam = create(&iam, "sam", "/").await;
    let key = CreateAccessKeyRequest { user_name: Some("sam".to_owned()) };
    let key = access_keys::create_access_key(iam.clone(), cx(), key).await.unwrap().access_key;
    let input = UpdateUserRequest {
        user_name: "sam".to_owned(),
        new_user_name: Some("Kim".to_owned()),
        new_path: Some("/new/".to_owned()),
    };
    update_user(iam.clone(), cx(), input).await.unwrap();
    assert!(get(&iam, "sam").await.is_err());
    let kim = get(&iam, "Kim").await.unwrap();
    assert_eq!((kim.user_id, kim.arn.as_str()), (sam.user_id, "arn:aws:iam::000000000000:user/new/Kim"));
    let (_, principal) = iam.access_key(&key.access_key_id).unwrap();
    assert_eq!(crate::arn_of(&principal), kim.arn);
}

#[tokio::test]
async fn a_user_cannot_take_anothers_name_but_may_change_its_case() {
    let iam = iam();
    create(&iam, "sam", "/").await;
    create(&iam, "kim", "/").await;
    let rename = |name: &str| UpdateUserRequest {
        user_name: "sam".to_owned(),
        new_user_name: Some(name.to_owned()),
        ..Default::default()
    };
    check_error(
        update_user(iam.clone(), cx(), rename("Kim")).await,
        "EntityAlreadyExists: User with name Kim already exists.",
    );
    update_user(iam.clone(), cx(), rename("SAM")).await.unwrap();
    assert_eq!(get(&iam, "sam").await.unwrap().user_name, "SAM");
}

#[tokio::test]
async fn a_user_with_keys_cannot_be_deleted() {
    let iam = iam();
    create(&iam, "sam", "/").await;
    let key = CreateAccessKeyRequest { user_name: Some("sam".to_owned()) };
    access_keys::create_access_key(iam.clone(), cx(), key).await.unwrap();
    check_error(
        delete_user(iam.clone(), cx(), DeleteUserRequest { user_name: "sam".to_owned() }).await,
        "DeleteConflict: Cannot delete entity, must delete access keys first.",
    );
    create(&iam, "kim", "/").await;
    delete_user(iam.clone(), cx(), DeleteUserRequest { user_name: "kim".to_owned() }).await.unwrap();
    assert!(get(&iam, "kim").await.is_err());
}

#[tokio::test]
async fn tags_are_added_listed_and_removed() {
    let iam = iam();
    create(&iam, "sam", "/").await;
    let name = || "sam".to_owned();
    let tags = vec![Tag { key: "a".to_owned(), value: "1".to_owned() }];
    tag_user(iam.clone(), cx(), TagUserRequest { user_name: name(), tags: tags.clone() }).await.unwrap();
    let list = ListUserTagsRequest { user_name: name(), ..Default::default() };
    assert_eq!(list_user_tags(iam.clone(), cx(), list.clone()).await.unwrap().tags, tags);
    let untag = UntagUserRequest { user_name: name(), tag_keys: vec!["A".to_owned()] };
    untag_user(iam.clone(), cx(), untag).await.unwrap();
    assert_eq!(list_user_tags(iam, cx(), list).await.unwrap().tags, []);
}
