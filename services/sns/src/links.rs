//! What the links in messages lead to: `/_hearth/sns/…`, for whoever has the link.

use http::StatusCode;
use wire::Error;

use crate::publish::CERTIFICATE_PATH;
use crate::subscriptions::{confirm_by_token, unsubscribe_by_link};
use crate::{Sns, shapes};

/// What a visitor gets.
pub struct Page {
    /// The HTTP status.
    pub status: StatusCode,
    /// The media type.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Page {
    fn of(content_type: &'static str, body: String) -> Self {
        Self { status: StatusCode::OK, content_type, body }
    }
}

impl Sns {
    /// Answers a visit: a confirmation, an end of a subscription, the certificate of signatures, or the outbox.
    pub async fn visit(&self, path: &str, query: &str) -> Page {
        match self.try_visit(path, query).await {
            Ok(page) => page,
            Err(error) => Page {
                status: StatusCode::from_u16(error.status(&shapes::SERVICE))
                    .unwrap_or(StatusCode::BAD_REQUEST),
                ..Page::of("text/plain; charset=utf-8", format!("{}\n", error.message))
            },
        }
    }

    async fn try_visit(&self, path: &str, query: &str) -> Result<Page, Error> {
        if path == CERTIFICATE_PATH {
            let signer = self.signer.get(&self.store).await.map_err(crate::error::service)?;
            return Ok(Page::of("application/x-pem-file", signer.certificate().to_owned()));
        }
        if path.trim_end_matches('/') == "/_hearth/sns/outbox" {
            return Ok(Page::of("application/json", self.outbox.to_json()?));
        }
        let parameter = |name: &str| parameter(query, name).unwrap_or_default();
        match parameter("Action").as_str() {
            "ConfirmSubscription" => {
                let arn =
                    confirm_by_token(self, &parameter("TopicArn"), parameter("Token"), None, false).await?;
                Ok(Page::of("text/xml", confirmed(&arn.to_string())))
            }
            "Unsubscribe" => {
                unsubscribe_by_link(self, &parameter("SubscriptionArn")).await?;
                Ok(Page::of("text/plain; charset=utf-8", "Your subscription has been removed.\n".to_owned()))
            }
            _ => Err(Error::new(
                "NotFound",
                "There is nothing here. Links in SNS messages lead to this place.",
            )
            .with_status(404)),
        }
    }
}

fn confirmed(arn: &str) -> String {
    format!(
        "<ConfirmSubscriptionResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><ConfirmSubscriptionResult>\
         <SubscriptionArn>{arn}</SubscriptionArn></ConfirmSubscriptionResult></ConfirmSubscriptionResponse>"
    )
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_their_whole_name() {
        let query = "Action=ConfirmSubscription&TopicArn=arn%3Aaws&Token=abc";
        assert_eq!(parameter(query, "TopicArn").as_deref(), Some("arn:aws"));
        assert_eq!(parameter(query, "Token").as_deref(), Some("abc"));
        assert_eq!(parameter(query, "Topic"), None);
    }
}
