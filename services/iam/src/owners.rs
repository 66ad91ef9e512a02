//! What roles and users have in common: they own inline policies and have managed ones attached.

use store::{Scan, Snapshot};

use crate::error::{Failure, delete_conflict};
use crate::record::{ATTACHED_POLICIES, INLINE_POLICIES, Owner, USER_ACCESS_KEYS};

/// Whether a role or user may be deleted: nothing may belong to it.
pub(crate) fn check_unused(snapshot: &Snapshot<'_>, owner: &Owner) -> Result<(), Failure> {
    let id = owner.id.as_str();
    let has_attached = !snapshot.keys(&ATTACHED_POLICIES, &Scan::prefix((id,)).limit(1))?.is_empty();
    let has_inline = !snapshot.keys(&INLINE_POLICIES, &Scan::prefix((id,)).limit(1))?.is_empty();
    let has_keys = !snapshot.keys(&USER_ACCESS_KEYS, &Scan::prefix((id,)).limit(1))?.is_empty();
    let obstacle = match (has_attached, has_inline, has_keys) {
        (true, ..) => "must detach all policies first.",
        (_, true, _) => "must delete policies first.",
        (.., true) => "must delete access keys first.",
        (false, false, false) => return Ok(()),
    };
    Err(delete_conflict(format!("Cannot delete entity, {obstacle}")).into())
}
