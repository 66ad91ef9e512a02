//! A value of a request against a value of a policy.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{ip, moment};
use crate::context::Context;
use crate::glob::Pattern;

/// What an operator compares, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    String,
    StringIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    Ip,
    Arn,
}

/// How two values must stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The operator of this name in lower case, without `IfExists`, and whether it is a negation.
    pub(super) fn parse(name: &str) -> Option<(Self, bool)> {
        let ordered = |of: fn(Order) -> Self, rest: &str| {
            Some(match rest {
                "equals" => (of(Order::Equal), false),
                "notequals" => (of(Order::Equal), true),
                "lessthan" => (of(Order::Less), false),
                "lessthanequals" => (of(Order::LessOrEqual), false),
                "greaterthan" => (of(Order::Greater), false),
                "greaterthanequals" => (of(Order::GreaterOrEqual), false),
                _ => return None,
            })
        };
        Some(match name {
            "stringequals" => (Self::String, false),
            "stringnotequals" => (Self::String, true),
            "stringequalsignorecase" => (Self::StringIgnoreCase, false),
            "stringnotequalsignorecase" => (Self::StringIgnoreCase, true),
            "stringlike" => (Self::StringLike, false),
            "stringnotlike" => (Self::StringLike, true),
            "bool" => (Self::Bool, false),
            "binaryequals" => (Self::Binary, false),
            "ipaddress" => (Self::Ip, false),
            "notipaddress" => (Self::Ip, true),
            // The two are the same.
            "arnequals" | "arnlike" => (Self::Arn, false),
            "arnnotequals" | "arnnotlike" => (Self::Arn, true),
            _ => match (name.strip_prefix("numeric"), name.strip_prefix("date")) {
                (Some(rest), _) => ordered(Self::Numeric, rest)?,
                (_, Some(rest)) => ordered(Self::Date, rest)?,
                (None, None) => return None,
            },
        })
    }

    /// Whether a value of a policy could ever fit: a range of addresses that is none is a mistake.
    pub(crate) fn accepts(self, wanted: &Pattern) -> bool {
        let text = wanted.as_str();
        if text.contains("${") {
            return true;
        }
        match self {
            Self::Numeric(_) => number(text).is_some(),
            Self::Date(_) => moment::parse(text).is_some(),
            Self::Bool => truth(text).is_some(),
            Self::Ip => ip::Range::parse(text).is_some(),
            Self::Binary => STANDARD.decode(text).is_ok(),
            Self::String | Self::StringIgnoreCase | Self::StringLike | Self::Arn => true,
        }
    }

    /// Whether the value of a request is as the policy wants it, before a negation.
    pub(super) fn is_so(self, wanted: &Pattern, value: &str, context: &Context) -> bool {
        let text = || wanted.text(context);
        match self {
            Self::String => text().is_some_and(|wanted| wanted == value),
            Self::StringIgnoreCase => text().is_some_and(|wanted| wanted.eq_ignore_ascii_case(value)),
            Self::StringLike => wanted.matches(value, context),
            Self::Arn => wanted.matches_arn(value, context),
            Self::Numeric(order) => {
                let ordering = text().and_then(|wanted| number(value)?.partial_cmp(&number(&wanted)?));
                ordering.is_some_and(|ordering| order.holds(ordering))
            }
            Self::Date(order) => {
                let ordering =
                    text().and_then(|wanted| Some(moment::parse(value)?.cmp(&moment::parse(&wanted)?)));
                ordering.is_some_and(|ordering| order.holds(ordering))
            }
            Self::Bool => text().is_some_and(|wanted| match (truth(&wanted), truth(value)) {
                (Some(wanted), Some(value)) => wanted == value,
                _ => false,
            }),
            Self::Binary => text().is_some_and(|wanted| {
                let bytes = |text: &str| STANDARD.decode(text).ok();
                bytes(&wanted).is_some_and(|wanted| bytes(value) == Some(wanted))
            }),
            Self::Ip => text().is_some_and(|wanted| {
                let address = value.parse().ok();
                ip::Range::parse(&wanted).zip(address).is_some_and(|(range, address)| range.contains(address))
            }),
        }
    }
}

impl Order {
    /// Whether the value of a request, which stands so to the policy's, fits.
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
