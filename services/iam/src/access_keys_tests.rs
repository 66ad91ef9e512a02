use domain::Account;

use super::*;
use crate::shapes::CreateUserRequest;
use crate::testing::{check_error, cx, iam};
use crate::users::create_user;

async fn with_sam() -> Iam {
    let iam = iam();
    for name in ["sam", "kim"] {
        let input = CreateUserRequest { user_name: name.to_owned(), ..Default::default() };
        create_user(iam.clone(), cx(), input).await.unwrap();
    }
    iam
}

fn sam() -> Option<String> {
    Some("sam".to_owned())
}

async fn create(iam: &Iam) -> Result<shapes::AccessKey, Error> {
    let input = CreateAccessKeyRequest { user_name: sam() };
    Ok(create_access_key(iam.clone(), cx(), input).await?.access_key)
}

async fn set(iam: &Iam, id: &str, status: StatusType) -> Result<Unit, Error> {
    let input = UpdateAccessKeyRequest { user_name: sam(), access_key_id: id.to_owned(), status };
    update_access_key(iam.clone(), cx(), input).await
}

#[tokio::test]
async fn a_key_identifies_its_user_until_it_is_deleted() {
    let iam = with_sam().await;
    let key = create(&iam).await.unwrap();
    assert!(key.access_key_id.starts_with("AKIA") && key.access_key_id.len() == 20);
    assert_eq!(key.secret_access_key.len(), 40);
    let (secret, principal) = iam.access_key(&key.access_key_id).unwrap();
    assert_eq!(secret, key.secret_access_key);
    assert_eq!(crate::arn_of(&principal), "arn:aws:iam::000000000000:user/sam");
    assert_eq!(crate::account_of_key(&key.access_key_id), Some(Account::default()));
    let input = DeleteAccessKeyRequest { user_name: sam(), access_key_id: key.access_key_id.clone() };
    delete_access_key(iam.clone(), cx(), input).await.unwrap();
    assert_eq!(iam.access_key(&key.access_key_id), None);
}

#[tokio::test]
async fn an_inactive_key_identifies_nobody() {
    let iam = with_sam().await;
    let id = create(&iam).await.unwrap().access_key_id;
    set(&iam, &id, StatusType::Inactive).await.unwrap();
    assert_eq!(iam.access_key(&id), None);
    let input = ListAccessKeysRequest { user_name: sam(), ..Default::default() };
    let listed = list_access_keys(iam.clone(), cx(), input).await.unwrap().access_key_metadata;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].status, Some(StatusType::Inactive));
    set(&iam, &id, StatusType::Active).await.unwrap();
    assert!(iam.access_key(&id).is_some());
    assert_eq!(set(&iam, &id, StatusType::Expired).await.unwrap_err().code, "ValidationError");
}

#[tokio::test]
async fn a_user_has_at_most_two_keys() {
    let iam = with_sam().await;
    create(&iam).await.unwrap();
    create(&iam).await.unwrap();
    check_error(create(&iam).await, "LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2");
}

#[tokio::test]
async fn a_key_is_found_only_at_its_own_user() {
    let iam = with_sam().await;
    let id = create(&iam).await.unwrap().access_key_id;
    let input = DeleteAccessKeyRequest { user_name: Some("kim".to_owned()), access_key_id: id.clone() };
    check_error(
        delete_access_key(iam.clone(), cx(), input).await,
        &format!("NoSuchEntity: The Access Key with id {id} cannot be found."),
    );
    assert!(iam.access_key(&id).is_some());
}

#[tokio::test]
async fn the_last_use_of_a_key_tells_its_user() {
    let iam = with_sam().await;
    let id = create(&iam).await.unwrap().access_key_id;
    let input = GetAccessKeyLastUsedRequest { access_key_id: id };
    let used = get_access_key_last_used(iam.clone(), cx(), input).await.unwrap();
    assert_eq!((used.user_name, used.access_key_last_used.unwrap().service_name.as_str()), (sam(), "N/A"));
    let input = GetAccessKeyLastUsedRequest { access_key_id: "AKIAAAAAAAAAAAAAAAAA".to_owned() };
    check_error(
        get_access_key_last_used(iam, cx(), input).await,
        "NoSuchEntity: The Access Key with id AKIAAAAAAAAAAAAAAAAA cannot be found.",
    );
}

#[tokio::test]
async fn keys_that_nobody_made_identify_nobody() {
    let iam = iam();
    for id in ["", "test", "000000000000", "AKIAAAAAAAAAAAAAAAAA", "ASIAAAAAAAAAAAAAAAAA"] {
        assert_eq!(iam.access_key(id), None, "{id}");
    }
}
