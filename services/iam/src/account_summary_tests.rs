use super::*;
use crate::shapes::CreateUserRequest;
use crate::testing::{cx, iam};
use crate::users::create_user;

#[tokio::test]
async fn a_summary_counts_what_there_is() {
    let iam = iam();
    let input = CreateUserRequest { user_name: "sam".to_owned(), ..Default::default() };
    create_user(iam.clone(), cx(), input).await.unwrap();
    let summary = get_account_summary(iam, cx(), Unit::default()).await.unwrap().summary_map.unwrap();
    for (key, value) in [("Users", 1), ("Roles", 0), ("Policies", 0), ("Groups", 0), ("RolesQuota", 1_000)] {
        assert_eq!(summary.get(key), Some(&value), "{key}");
    }
}
