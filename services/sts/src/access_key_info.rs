//! Whose an access key is.

use iam::account_of_key;
use wire::{Context, Error};

use crate::Sts;
use crate::error::validation_error;
use crate::shapes::{GetAccessKeyInfoRequest, GetAccessKeyInfoResponse};

/// `GetAccessKeyInfo`. The id itself tells the account, as AWS's own ids do: nothing is looked up, and the key need not
/// exist any more.
pub(crate) async fn get_access_key_info(
    _: Sts,
    _: Context,
    input: GetAccessKeyInfoRequest,
) -> Result<GetAccessKeyInfoResponse, Error> {
    let account = account_of_key(&input.access_key_id)
        .ok_or_else(|| validation_error(format!("Invalid access key: {}", input.access_key_id)))?;
    Ok(GetAccessKeyInfoResponse { account: Some(account.to_string()) })
}

#[cfg(test)]
mod tests {
    use domain::{Account, Principal};

    use super::*;
    use crate::testing::{NOW, cx_of, sts};

    async fn account(access_key_id: &str) -> Result<Option<String>, Error> {
        let cx = cx_of(Principal::Root(Account::default()));
        let input = GetAccessKeyInfoRequest { access_key_id: access_key_id.to_owned() };
        Ok(get_access_key_info(sts(), cx, input).await?.account)
    }

    #[tokio::test]
    async fn a_key_tells_its_account() {
        let owner = Account::parse("123456789012").unwrap();
        let credentials = sts().iam.sessions().mint(Principal::Root(owner), NOW);
        assert_eq!(account(&credentials.access_key_id).await, Ok(Some("123456789012".to_owned())));
    }

    #[tokio::test]
    async fn text_that_is_no_key_is_refused() {
        let error = account("0000000000000000").await.unwrap_err();
        assert_eq!(error.to_string(), "ValidationError: Invalid access key: 0000000000000000");
    }
}
