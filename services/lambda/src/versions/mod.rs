//! Published versions: what `$LATEST` was, kept under a number and never changed.

mod list;
mod publish;
mod record;

pub use list::{list, qualified};
pub use publish::{publish, publish_in, refuse_publish_to};
pub use record::{NUMBERS, VERSIONS};
