//! Which version an alias stands for.

use domain::Version;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where an alias points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Routing {
    /// `FunctionVersion`
    pub version: Version,
    /// `RoutingConfig`: AWS allows one more version.
    pub additional: Option<Additional>,
}

/// The second version of an alias, and its share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Additional {
    /// The version.
    pub version: u64,
    /// Its share of the invocations, from 0 to 1; the first version has the rest.
    pub weight: f64,
}

/// A number from 0 up to and without 1, evenly distributed.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Chance(f64);

impl Chance {
    /// The chance that a random request id holds. So a choice needs no other source, and stays the same for the request.
    pub fn of(request_id: Uuid) -> Self {
        // The last 62 bits of a random UUID are random; 53 fit a double exactly.
        const BITS: u32 = 53;
        let (_, low) = request_id.as_u64_pair();
        let bits = low & ((1 << BITS) - 1);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        Self(bits as f64 / (1_u64 << BITS) as f64)
    }
}

impl Routing {
    /// The version for one invocation.
    pub fn choose(&self, chance: Chance) -> Version {
        match self.additional {
            Some(additional) if chance.0 < additional.weight => Version::Number(additional.version),
            _ => self.version,
        }
    }

    /// Whether some invocations go to this version.
    pub fn names(&self, number: u64) -> bool {
        self.version == Version::Number(number)
            || self.additional.is_some_and(|additional| additional.version == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routing(weight: f64) -> Routing {
        Routing { version: Version::Number(1), additional: Some(Additional { version: 2, weight }) }
    }

    /// A fixed sequence of what random request ids look like (xorshift), so that the test says the same every time.
    fn request_ids(count: usize) -> impl Iterator<Item = Uuid> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        std::iter::repeat_with(move || {
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state
            };
            let bytes = [next().to_be_bytes(), next().to_be_bytes()].concat().try_into().unwrap();
            uuid::Builder::from_random_bytes(bytes).into_uuid()
        })
        .take(count)
    }

    #[test]
    fn weights_are_shares() {
        const INVOCATIONS: usize = 20_000;
        for weight in [0.01, 0.1, 0.25, 0.5, 0.9] {
            let second = request_ids(INVOCATIONS)
                .filter(|id| routing(weight).choose(Chance::of(*id)) == Version::Number(2))
                .count();
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let (share, of) = (second as f64 / INVOCATIONS as f64, INVOCATIONS as f64);
            // Five standard deviations of a binomial distribution.
            let tolerance = 5.0 * (weight * (1.0 - weight) / of).sqrt();
            assert!((share - weight).abs() < tolerance, "{share} instead of {weight}");
        }
    }

    #[test]
    fn none_is_none_and_all_is_all() {
        for id in request_ids(1_000).chain([Uuid::nil(), Uuid::max()]) {
            assert_eq!(routing(0.0).choose(Chance::of(id)), Version::Number(1));
            assert_eq!(routing(1.0).choose(Chance::of(id)), Version::Number(2));
            assert_eq!(
                Routing { version: Version::Latest, additional: None }.choose(Chance::of(id)),
                Version::Latest
            );
        }
    }
}
