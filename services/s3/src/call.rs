//! Who asks, and what they said beside the input that `s3s` reads.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use domain::{Account, Principal, Region, Scope};
use http::{Extensions, HeaderMap};
use s3s::dto::Tag;
use uuid::Uuid;
use wire::Context;
use wire::gateway::{Keys, Trailers};

use crate::error::{self, Refusal};
use crate::front::signature::Signature;

/// What a handler knows of a request besides its input.
pub(crate) struct Call {
    /// Who asks, where, and every header.
    pub(crate) context: Context,
    /// Whether nobody signed the request.
    pub(crate) anonymous: bool,
    /// The headers behind the body, once it has been read.
    pub(crate) trailers: Trailers,
    /// Who proves signatures that stand in the body; nobody, in a call of Hearth's own.
    pub(crate) keys: Option<Keys>,
    /// How it was signed.
    pub(crate) signature: Signature,
    /// The tags of the bucket that it makes, which are in no input of `s3s`.
    pub(crate) new_tags: Vec<Tag>,
}

impl Call {
    /// The call that [`crate::front`] put beside a request.
    pub(crate) fn of(extensions: &Extensions) -> Result<Arc<Self>, Refusal> {
        extensions.get::<Arc<Self>>().cloned().ok_or_else(error::internal)
    }

    /// A call that another service of Hearth makes for an account.
    pub(crate) fn of_service(
        account: &Account,
        region: &Region,
        base_url: &Arc<str>,
        headers: HeaderMap,
    ) -> Self {
        let context = Context {
            request_id: Uuid::new_v4(),
            scope: Scope { account: account.clone(), region: region.clone() },
            principal: Principal::Root(account.clone()),
            access_key_id: None,
            base_url: Arc::clone(base_url),
            headers,
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        Self::inside(context)
    }

    /// A call that another service of Hearth makes for its caller, with the caller's rights and no headers.
    pub(crate) fn on_behalf_of(cx: &Context) -> Self {
        Self::inside(Context { headers: HeaderMap::new(), ..cx.clone() })
    }

    fn inside(context: Context) -> Self {
        Self {
            context,
            anonymous: false,
            trailers: Trailers::default(),
            keys: None,
            signature: Signature::default(),
            new_tags: Vec::new(),
        }
    }

    /// Whether nobody knows who asks. While no credentials are configured, whoever did not sign is the account's root.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.anonymous && self.keys.as_ref().is_some_and(Keys::are_required)
    }

    /// Whose the caller is.
    pub(crate) fn account(&self) -> &Account {
        self.context.principal.account()
    }

    /// Refuses a call that expects another owner of the bucket than it has.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
    pub(crate) fn expects(
        &self,
        owner: Option<&String>,
        bucket: &crate::record::Bucket,
    ) -> Result<(), Refusal> {
        match owner {
            Some(owner) if owner != bucket.owner.as_str() => Err(error::access_denied()),
            _ => Ok(()),
        }
    }
}
