//! Which version of a family serves a wanted one. Pure.

use serde::{Deserialize, Serialize};

/// How well what is here fits what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// The very version.
    Exact,
    /// Another version of the same family: to be said loudly.
    Nearest,
}

/// Chooses among `available`: the very line, else the next higher one, else the next lower one.
///
/// Higher comes first because languages add far more than they remove: code for the older version mostly runs.
pub fn choose(wanted: u32, available: impl IntoIterator<Item = u32>) -> Option<(u32, Fit)> {
    let (mut higher, mut lower) = (None::<u32>, None::<u32>);
    for line in available {
        match line.cmp(&wanted) {
            std::cmp::Ordering::Equal => return Some((line, Fit::Exact)),
            std::cmp::Ordering::Greater => higher = Some(higher.map_or(line, |best| best.min(line))),
            std::cmp::Ordering::Less => lower = Some(lower.map_or(line, |best| best.max(line))),
        }
    }
    higher.or(lower).map(|line| (line, Fit::Nearest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_line_wins_then_the_next_higher_then_the_next_lower() {
        check(12, &[9, 11, 12, 13], Some((12, Fit::Exact)));
        check(12, &[9, 11, 14, 13], Some((13, Fit::Nearest)));
        check(14, &[9, 13, 11], Some((13, Fit::Nearest)));
        check(18, &[20, 22], Some((20, Fit::Nearest)));
        check(24, &[], None);
    }

    fn check(wanted: u32, available: &[u32], expected: Option<(u32, Fit)>) {
        assert_eq!(choose(wanted, available.iter().copied()), expected, "{wanted} of {available:?}");
        let reversed = available.iter().rev().copied();
        assert_eq!(choose(wanted, reversed), expected, "{wanted} of {available:?}, reversed");
    }
}
