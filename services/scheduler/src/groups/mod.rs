//! Schedule groups.

mod create;
mod delete;
mod get;
mod list;
mod tags;

use domain::{Scope, Timestamp};
use store::Snapshot;

use crate::error::{Refusal, no_group};
use crate::record::{DEFAULT_GROUP, GROUPS, GroupRecord};

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use get::get;
pub(crate) use list::list;
pub(crate) use tags::{list as list_tags, tag, untag};

/// A group that must be there. The default one always is.
pub(crate) fn expect(snapshot: &Snapshot<'_>, scope: &Scope, name: &str) -> Result<GroupRecord, Refusal> {
    let found = snapshot.get(&GROUPS, (scope, name))?;
    let default = || GroupRecord {
        created: Timestamp(0),
        modified: Timestamp(0),
        tags: Default::default(),
        client_token: None,
    };
    found.or_else(|| (name == DEFAULT_GROUP).then(default)).ok_or_else(|| no_group(name).into())
}
