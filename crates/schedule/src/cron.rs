//! `cron(minutes hours day-of-month month day-of-week year)`

use domain::Timestamp;
use jiff::civil::{Date, DateTime, Weekday, date};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::Invalid;
use crate::field::{DAYS, HOURS, MINUTES, MONTHS, Values, WEEKDAYS, YEARS};

/// A cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Values,
    hours: Values,
    days: Days,
    months: Values,
    years: Values,
}

/// Which days of a month: by their number or by their name, never by both.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<OfMonth>),
    OfWeek(Vec<OfWeek>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum OfMonth {
    These(Values),
    /// `L`, or `L-3`: so many days before the last.
    Last {
        before: u16,
    },
    /// `15W`: the weekday nearest to the 15th, in the same month.
    Near(u16),
    /// `LW`: the last weekday.
    LastWeekday,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum OfWeek {
    These(Values),
    /// `5L`: the last Thursday.
    Last(u16),
    /// `3#2`: the second Tuesday.
    Nth(u16, u16),
}

impl Cron {
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, day_of_month, months, day_of_week, years] = fields.as_slice() else {
            return Err(Invalid::new("a cron expression has six fields"));
        };
        let days = match (*day_of_month, *day_of_week) {
            ("?", "?") => return Err(Invalid::new("one of day of month and day of week must say something")),
            (by_number, "?") => Days::OfMonth(split(by_number, of_month)?),
            ("?", by_name) => Days::OfWeek(split(by_name, of_week)?),
            _ => return Err(Invalid::new("one of day of month and day of week must be ?")),
        };
        Ok(Self {
            minutes: MINUTES.values(minutes)?,
            hours: HOURS.values(hours)?,
            days,
            months: MONTHS.values(months)?,
            years: YEARS.values(years)?,
        })
    }

    /// The first moment after another. A time that the clocks skip in spring is left out; one that they show twice in
    /// autumn counts once.
    /// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time>
    pub(crate) fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let after_moment = jiff::Timestamp::from_millisecond(after.epoch_ms()).ok()?;
        let mut from = zone.to_datetime(after_moment);
        loop {
            let candidate = self.next_shown(from)?;
            if let Some(moment) = shown_at(candidate, zone).filter(|moment| *moment > after) {
                return Some(moment);
            }
            from = candidate.checked_add(jiff::Span::new().minutes(1)).ok()?;
        }
    }

    /// The first time that fits, from a minute on, as clocks show it.
    fn next_shown(&self, from: DateTime) -> Option<DateTime> {
        let from = from.with().second(0).subsec_nanosecond(0).build().ok()?;
        let mut day = from.date();
        let mut not_before = Some(from.time());
        loop {
            let year = u16::try_from(day.year()).ok()?;
            let wanted_year = self.years.at_least(year)?;
            if wanted_year != year {
                day = date(i16::try_from(wanted_year).ok()?, 1, 1);
                not_before = None;
                continue;
            }
            let month = u16::from(day.month().unsigned_abs());
            if !self.months.contains(month) {
                day = day.last_of_month().tomorrow().ok()?;
                not_before = None;
                continue;
            }
            if self.days.contain(day)
                && let Some((hour, minute)) = self.next_time(not_before)
            {
                return Some(day.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0));
            }
            day = day.tomorrow().ok()?;
            not_before = None;
        }
    }

    fn next_time(&self, not_before: Option<jiff::civil::Time>) -> Option<(u16, u16)> {
        let (hour, minute) = not_before.map_or((0, 0), |time| {
            (u16::from(time.hour().unsigned_abs()), u16::from(time.minute().unsigned_abs()))
        });
        if self.hours.contains(hour)
            && let Some(minute) = self.minutes.at_least(minute)
        {
            return Some((hour, minute));
        }
        Some((self.hours.at_least(hour + 1)?, self.minutes.at_least(0)?))
    }
}

impl Days {
    fn contain(&self, day: Date) -> bool {
        match self {
            Self::OfMonth(rules) => rules.iter().any(|rule| rule.contains(day)),
            Self::OfWeek(rules) => rules.iter().any(|rule| rule.contains(day)),
        }
    }
}

impl OfMonth {
    fn contains(&self, day: Date) -> bool {
        let number = number(day);
        let last = number_of_last(day);
        match self {
            Self::These(values) => values.contains(number),
            Self::Last { before } => last.checked_sub(*before) == Some(number),
            Self::Near(wanted) => near(day, (*wanted).min(last)) == number,
            Self::LastWeekday => near(day, last) == number,
        }
    }
}

impl OfWeek {
    fn contains(&self, day: Date) -> bool {
        let weekday = u16::from(day.weekday().to_sunday_one_offset().unsigned_abs());
        match self {
            Self::These(values) => values.contains(weekday),
            Self::Last(wanted) => weekday == *wanted && number(day) + 7 > number_of_last(day),
            Self::Nth(wanted, nth) => weekday == *wanted && (number(day) - 1) / 7 + 1 == *nth,
        }
    }
}

fn number(day: Date) -> u16 {
    u16::from(day.day().unsigned_abs())
}

fn number_of_last(day: Date) -> u16 {
    u16::from(day.days_in_month().unsigned_abs())
}

/// The weekday nearest to a day of this month, without leaving the month.
fn near(in_month: Date, wanted: u16) -> u16 {
    let Ok(day) = in_month.with().day(i8::try_from(wanted).unwrap_or(i8::MAX)).build() else { return 0 };
    match day.weekday() {
        Weekday::Saturday if wanted == 1 => 3,
        Weekday::Saturday => wanted - 1,
        Weekday::Sunday if wanted == number_of_last(day) => wanted - 2,
        Weekday::Sunday => wanted + 1,
        _ => wanted,
    }
}

fn split<T>(text: &str, read: impl Fn(&str) -> Result<T, Invalid>) -> Result<Vec<T>, Invalid> {
    text.split(',').map(read).collect()
}

fn of_month(text: &str) -> Result<OfMonth, Invalid> {
    if text == "LW" {
        return Ok(OfMonth::LastWeekday);
    }
    if let Some(rest) = text.strip_prefix('L') {
        let before = match rest.strip_prefix('-') {
            Some(before) => DAYS.value(before)?,
            None if rest.is_empty() => 0,
            None => return Err(Invalid::new(format!("{text:?} does not fit the field day of month"))),
        };
        return Ok(OfMonth::Last { before });
    }
    match text.strip_suffix('W') {
        Some(day) => DAYS.value(day).map(OfMonth::Near),
        None => DAYS.values(text).map(OfMonth::These),
    }
}

fn of_week(text: &str) -> Result<OfWeek, Invalid> {
    // Saturday is the last of a week.
    const SATURDAY: &str = "7";
    const WEEKS: std::ops::RangeInclusive<u16> = 1..=5;
    if text == "L" {
        return WEEKDAYS.values(SATURDAY).map(OfWeek::These);
    }
    if let Some((day, nth)) = text.split_once('#') {
        let nth = nth.parse().ok().filter(|nth| WEEKS.contains(nth));
        let nth = nth.ok_or_else(|| Invalid::new(format!("{text:?} does not fit the field day of week")))?;
        return Ok(OfWeek::Nth(WEEKDAYS.value(day)?, nth));
    }
    match text.strip_suffix('L') {
        Some(day) => WEEKDAYS.value(day).map(OfWeek::Last),
        None => WEEKDAYS.values(text).map(OfWeek::These),
    }
}

/// The moment at which a zone's clocks show a time for the first time; none if they skip it.
fn shown_at(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let offset = match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Fold { before, .. } => before,
        AmbiguousOffset::Gap { .. } => return None,
    };
    offset.to_timestamp(time).ok().map(|moment| Timestamp(moment.as_millisecond()))
}
