//! One field of a cron expression: which values it allows.

use crate::Invalid;

/// What a field may hold.
pub(crate) struct Kind {
    /// For messages.
    pub(crate) name: &'static str,
    pub(crate) first: u16,
    pub(crate) last: u16,
    /// Names of the values, from the first on.
    pub(crate) names: &'static [&'static str],
}

pub(crate) const MINUTES: Kind = Kind { name: "minutes", first: 0, last: 59, names: &[] };
pub(crate) const HOURS: Kind = Kind { name: "hours", first: 0, last: 23, names: &[] };
pub(crate) const DAYS: Kind = Kind { name: "day of month", first: 1, last: 31, names: &[] };
pub(crate) const MONTHS: Kind = Kind {
    name: "month",
    first: 1,
    last: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
pub(crate) const WEEKDAYS: Kind = Kind {
    name: "day of week",
    first: 1,
    last: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};
pub(crate) const YEARS: Kind = Kind { name: "year", first: 1970, last: 2199, names: &[] };

/// A set of values, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Values(Vec<u16>);

impl Values {
    pub(crate) fn contains(&self, value: u16) -> bool {
        self.0.binary_search(&value).is_ok()
    }

    /// The least that is not less.
    pub(crate) fn at_least(&self, value: u16) -> Option<u16> {
        self.0.get(self.0.partition_point(|one| *one < value)).copied()
    }
}

impl Kind {
    fn wrong(&self, text: &str) -> Invalid {
        Invalid::new(format!("{text:?} does not fit the field {}", self.name))
    }

    /// One value, as a number or by its name.
    pub(crate) fn value(&self, text: &str) -> Result<u16, Invalid> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = match named {
            Some(index) => self.first + u16::try_from(index).unwrap_or_default(),
            None => text.parse().ok().filter(|_| digits).ok_or_else(|| self.wrong(text))?,
        };
        if (self.first..=self.last).contains(&value) { Ok(value) } else { Err(self.wrong(text)) }
    }

    /// Values between commas: `*`, `5`, `1-5`, `*/15`, `0/15`, `10-40/10`.
    pub(crate) fn values(&self, text: &str) -> Result<Values, Invalid> {
        let mut all = Vec::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(self.step(step)?)),
                None => (part, None),
            };
            let (first, last) = match (range, range.split_once('-')) {
                ("*", _) => (self.first, self.last),
                // A step goes on to the end.
                (_, None) if step.is_some() => (self.value(range)?, self.last),
                (_, None) => {
                    let value = self.value(range)?;
                    (value, value)
                }
                (_, Some((first, last))) => (self.value(first)?, self.value(last)?),
            };
            let step = usize::from(step.unwrap_or(1));
            if first <= last {
                all.extend((first..=last).step_by(step));
            } else {
                // From Friday to Monday: around the end.
                all.extend((first..=self.last).chain(self.first..=last).step_by(step));
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(Values(all))
    }

    fn step(&self, text: &str) -> Result<u16, Invalid> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|step| digits && *step > 0).ok_or_else(|| self.wrong(text))
    }
}
