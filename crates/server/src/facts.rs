//! What a person wants to see when the server is up.

use std::sync::Arc;

use runtimes::{Catalogue, Entry, EntryStatus};

use crate::config::Config;
use crate::confine::Confinement;

/// The banner's facts.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What was decided.
    pub config: Config,
    /// `http://<hostname>:<port>`
    pub base_url: Arc<str>,
    /// Which runtimes there are, in lines.
    pub runtimes: Vec<String>,
    /// How strong isolation is here, in lines.
    pub isolation: Vec<String>,
}

/// The runtimes that are there, those served by a neighbour, and how many are not.
pub fn runtime_lines(catalogue: &Catalogue) -> Vec<String> {
    let entries = catalogue.entries();
    let with = |status: EntryStatus| entries.iter().filter(move |entry| entry.status == status);
    let exact: Vec<&str> = with(EntryStatus::Exact).map(|entry| entry.runtime).collect();
    let mut lines = wrap(&exact);
    let nearest: Vec<String> = with(EntryStatus::Nearest).map(describe_nearest).collect();
    if !nearest.is_empty() {
        lines.push(
            "NOT EXACT, served by the nearest version of the family (refuse with --runtimes exact):"
                .to_owned(),
        );
        lines.extend(wrap(&nearest.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    let others = with(EntryStatus::Missing).count() + with(EntryStatus::Unsupported).count();
    if others > 0 {
        lines.push(format!("{others} more are not available here; `hearth runtimes` says how to get them"));
    }
    lines
}

fn describe_nearest(entry: &Entry) -> String {
    let served_by = entry.version.as_deref().unwrap_or("another version");
    format!("{} by {} {served_by}", entry.runtime, entry.language.unwrap_or_default())
}

fn wrap(items: &[&str]) -> Vec<String> {
    /// Leaves room for the banner's margin on a terminal of 100 columns.
    const WIDTH: usize = 84;
    let mut lines = vec![String::new()];
    for item in items {
        let line = lines.last_mut().expect("it starts with one line and never loses one");
        if line.is_empty() {
            line.push_str(item);
        } else if line.len() + item.len() + 2 <= WIDTH {
            line.push_str(", ");
            line.push_str(item);
        } else {
            lines.push((*item).to_owned());
        }
    }
    lines
}

/// What sandboxes enforce here, and what they cannot.
pub fn isolation_lines(missing: Vec<String>, confinement: &Confinement) -> Vec<String> {
    let mut lines = Vec::new();
    if missing.is_empty() {
        lines.push("full strength".to_owned());
    } else {
        lines.push("with what this machine grants; not enforced:".to_owned());
        lines.extend(missing.into_iter().map(|limit| format!("- {limit}")));
    }
    if let Confinement::WithoutFiles(why) = confinement {
        lines.push(format!("the server's own files are not confined: {why}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_wrapped_and_lose_nothing() {
        let items: Vec<String> = (0..40).map(|number| format!("runtime{number}")).collect();
        let lines = wrap(&items.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= 84));
        assert_eq!(lines.join(", ").split(", ").count(), 40);
    }
}
