//! A URL as the API shows it.

use domain::Timestamp;
use wire::Context;

use super::address::Address;
use super::record::{Auth, Mode, UrlRecord};
use crate::shapes;

/// A URL's configuration; each operation has a shape of its own for it.
pub fn configuration(cx: &Context, url: &UrlRecord) -> shapes::FunctionUrlConfig {
    shapes::FunctionUrlConfig {
        function_url: Address::of(&cx.base_url).url(&url.id, &url.scope.region),
        function_arn: url.target().arn(),
        creation_time: timestamp(url.created),
        last_modified_time: timestamp(url.modified),
        cors: url.cors.as_ref().map(super::cors::Cors::view),
        auth_type: match url.auth {
            Auth::None => shapes::FunctionUrlAuthType::None,
            Auth::AwsIam => shapes::FunctionUrlAuthType::AwsIam,
        },
        invoke_mode: Some(match url.mode {
            Mode::Buffered => shapes::InvokeMode::Buffered,
            Mode::ResponseStream => shapes::InvokeMode::ResponseStream,
        }),
    }
}

/// `AuthType`
pub fn auth(said: shapes::FunctionUrlAuthType) -> Auth {
    match said {
        shapes::FunctionUrlAuthType::None => Auth::None,
        shapes::FunctionUrlAuthType::AwsIam => Auth::AwsIam,
    }
}

/// `InvokeMode`
pub fn mode(said: shapes::InvokeMode) -> Mode {
    match said {
        shapes::InvokeMode::Buffered => Mode::Buffered,
        shapes::InvokeMode::ResponseStream => Mode::ResponseStream,
    }
}

/// `2026-11-20T17:38:59.000Z`
fn timestamp(moment: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(moment.epoch_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
