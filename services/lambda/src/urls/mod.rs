//! Function URLs: an address of its own for a function's `$LATEST` or one of its aliases.
//!
//! The API's operations keep [`record::UrlRecord`]s; [`serve`] answers who calls the address. What the two formats
//! look like is in [`event`], [`answer`] and [`prelude`], which know no store and no engine.

mod address;
mod answer;
mod authorise;
mod configure;
mod cors;
mod event;
mod prelude;
mod record;
mod respond;
mod serve;
mod view;

pub use address::Address;
pub use configure::{create, delete, get, list, update};
pub use record::{Auth, URLS, UrlRecord, Urls};
pub use serve::{claims, serve};

use wire::Error;

/// A function or an alias that a URL is wanted for.
fn no_function() -> Error {
    Error::new("ResourceNotFoundException", "Function does not exist")
}

/// No URL where one was asked for.
fn no_url() -> Error {
    Error::new("ResourceNotFoundException", "The resource you requested does not exist.")
}

/// There is one already.
fn url_exists(arn: &str) -> Error {
    Error::new(
        "ResourceConflictException",
        format!(
            "Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig exists \
             for this Lambda function"
        ),
    )
}
