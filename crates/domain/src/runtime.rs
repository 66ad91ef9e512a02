//! Runtime identifiers and the families they belong to.
//!
//! What serves an identifier on this machine is the `runtimes` crate's business.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The interpreters and protocols behind runtime identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Family {
    /// `python3.x`
    Python,
    /// `nodejsX.x`
    Node,
    /// `javaX`
    Java,
    /// `rubyX.y`
    Ruby,
    /// `dotnetX`
    DotNet,
    /// `provided.*`: the package's own `bootstrap`.
    Provided,
}

macro_rules! runtimes {
    ($($variant:ident $id:literal $family:ident $version:literal,)*) => {
        /// A runtime identifier that a function can be created with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Runtime {
            $(#[doc = concat!("`", $id, "`")] #[serde(rename = $id)] $variant,)*
        }

        impl Runtime {
            /// Every identifier, in the order a person would list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The identifier as the API spells it.
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// The family.
            pub fn family(self) -> Family {
                match self { $(Self::$variant => Family::$family,)* }
            }

            /// The language version the identifier names, such as `3.12` or `22`; empty for `provided.*`.
            pub fn language_version(self) -> &'static str {
                match self { $(Self::$variant => $version,)* }
            }
        }
    };
}

runtimes! {
    Python39 "python3.9" Python "3.9",
    Python310 "python3.10" Python "3.10",
    Python311 "python3.11" Python "3.11",
    Python312 "python3.12" Python "3.12",
    Python313 "python3.13" Python "3.13",
    Python314 "python3.14" Python "3.14",
    Python315 "python3.15" Python "3.15",
    Node18 "nodejs18.x" Node "18",
    Node20 "nodejs20.x" Node "20",
    Node22 "nodejs22.x" Node "22",
    Node24 "nodejs24.x" Node "24",
    Node26 "nodejs26.x" Node "26",
    Java8Al2 "java8.al2" Java "8",
    Java8Al2023 "java8.al2023" Java "8",
    Java11 "java11" Java "11",
    Java11Al2023 "java11.al2023" Java "11",
    Java17 "java17" Java "17",
    Java17Al2023 "java17.al2023" Java "17",
    Java21 "java21" Java "21",
    Java25 "java25" Java "25",
    Ruby32 "ruby3.2" Ruby "3.2",
    Ruby33 "ruby3.3" Ruby "3.3",
    Ruby34 "ruby3.4" Ruby "3.4",
    Ruby40 "ruby4.0" Ruby "4.0",
    DotNet8 "dotnet8" DotNet "8",
    DotNet10 "dotnet10" DotNet "10",
    ProvidedAl2 "provided.al2" Provided "",
    ProvidedAl2023 "provided.al2023" Provided "",
}

/// Not an identifier a function can be created with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown runtime {0}")]
pub struct UnknownRuntime(pub String);

impl FromStr for Runtime {
    type Err = UnknownRuntime;

    fn from_str(id: &str) -> Result<Self, UnknownRuntime> {
        Self::ALL
            .iter()
            .copied()
            .find(|runtime| runtime.id() == id)
            .ok_or_else(|| UnknownRuntime(id.to_owned()))
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_reads_back_as_itself() {
        for runtime in Runtime::ALL {
            assert_eq!(runtime.id().parse(), Ok(*runtime));
        }
    }
}
