use domain::Timestamp;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

#[track_caller]
fn check(schedule: &str, zone: &str, after: &str, expected: &[&str]) {
    let schedule = Schedule::parse(schedule).unwrap();
    let zone = Zone::find(zone).unwrap();
    let (start, mut moment, mut found) = (at(after), at(after), Vec::new());
    for _ in expected {
        let Some(next) = schedule.next(moment, start, &zone) else { break };
        found.push(jiff::Timestamp::from_millisecond(next.epoch_ms()).unwrap().to_string());
        moment = next;
    }
    assert_eq!(found, expected);
}

#[test]
fn rates_count_from_their_beginning() {
    check(
        "rate(5 minutes)",
        "UTC",
        "2026-11-20T13:02:07Z",
        &["2026-11-20T13:07:07Z", "2026-11-20T13:12:07Z"],
    );
    check("rate(1 day)", "UTC", "2026-12-31T00:00:00Z", &["2027-01-01T00:00:00Z"]);
    let late = Schedule::parse("rate(1 minute)").unwrap().next(
        at("2026-01-01T00:10:30Z"),
        at("2026-01-01T00:00:00Z"),
        &Zone::UTC,
    );
    assert_eq!(late, Some(at("2026-01-01T00:11:00Z")));
}

#[test]
fn crons_of_awss_guides_are_due_when_they_say() {
    let after = "2026-11-20T13:02:07Z"; // a Friday
    for (cron, expected) in [
        ("cron(15 10 * * ? *)", ["2026-11-21T10:15:00Z", "2026-11-22T10:15:00Z"]),
        ("cron(0 18 ? * MON-FRI *)", ["2026-11-20T18:00:00Z", "2026-11-23T18:00:00Z"]),
        ("cron(0 8 1 * ? *)", ["2026-12-01T08:00:00Z", "2027-01-01T08:00:00Z"]),
        ("cron(0/10 * ? * MON-FRI *)", ["2026-11-20T13:10:00Z", "2026-11-20T13:20:00Z"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", ["2026-11-20T13:05:00Z", "2026-11-20T13:10:00Z"]),
        ("cron(0 9 ? * 2#1 *)", ["2026-12-07T09:00:00Z", "2027-01-04T09:00:00Z"]),
        ("cron(0 10 L * ? *)", ["2026-11-30T10:00:00Z", "2026-12-31T10:00:00Z"]),
        ("cron(0 10 L-3 * ? *)", ["2026-11-27T10:00:00Z", "2026-12-28T10:00:00Z"]),
        ("cron(30 23 ? * 6L *)", ["2026-11-27T23:30:00Z", "2026-12-25T23:30:00Z"]),
        ("cron(0 10 ? * L *)", ["2026-11-21T10:00:00Z", "2026-11-28T10:00:00Z"]),
        // The 22nd is a Sunday, so the nearest weekday is the 23rd; the 1st of August 2027 is a Sunday, too.
        ("cron(0 10 22W 11 ? 2026)", ["2026-11-23T10:00:00Z", ""]),
        ("cron(0 10 1W 8 ? *)", ["2027-08-02T10:00:00Z", "2028-08-01T10:00:00Z"]),
        ("cron(0 10 LW * ? *)", ["2026-11-30T10:00:00Z", "2026-12-31T10:00:00Z"]),
        ("cron(0 0 29 2 ? *)", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
        ("cron(0 12 ? JAN,jul 7-1 2027-2199)", ["2027-01-02T12:00:00Z", "2027-01-03T12:00:00Z"]),
        ("cron(59 23 31 12 ? 2026)", ["2026-12-31T23:59:00Z", ""]),
    ] {
        let expected: Vec<&str> = expected.into_iter().filter(|text| !text.is_empty()).collect();
        check(cron, "UTC", after, &expected);
    }
}

#[test]
fn what_never_comes_again_is_never_due() {
    let past = Schedule::parse("cron(0 0 1 1 ? 2020)").unwrap();
    assert_eq!(past.next(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"), &Zone::UTC), None);
    let never = Schedule::parse("cron(0 0 30 2 ? *)").unwrap();
    assert_eq!(never.next(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"), &Zone::UTC), None);
}

#[test]
fn a_skipped_hour_is_left_out_and_a_repeated_one_counts_once() {
    // In 2027 Berlin's clocks skip from 2 to 3 on 28 March and go back from 3 to 2 on 31 October.
    check(
        "cron(30 2 * * ? *)",
        "Europe/Berlin",
        "2027-03-26T12:00:00Z",
        &["2027-03-27T01:30:00Z", "2027-03-29T00:30:00Z"],
    );
    check(
        "cron(30 2 * * ? *)",
        "Europe/Berlin",
        "2027-10-30T12:00:00Z",
        &["2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"],
    );
}

#[test]
fn a_date_and_time_is_due_once_in_its_zone() {
    check("at(2026-12-24T18:00:00)", "America/New_York", "2026-11-20T00:00:00Z", &["2026-12-24T23:00:00Z"]);
    let past = Schedule::parse("at(2020-01-01T00:00:00)").unwrap();
    assert_eq!(past.next(at("2026-01-01T00:00:00Z"), Timestamp(0), &Zone::UTC), None);
}

#[test]
fn anything_else_is_refused() {
    for wrong in [
        "",
        "5 minutes",
        "rate()",
        "rate(5)",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(2 minute)",
        "rate(-1 days)",
        "rate(+2 days)",
        "rate(1.5 hours)",
        "rate(5 weeks)",
        "rate(5  minutes)",
        "rate(99999999999999999999 days)",
        "cron()",
        "cron(* * * * *)",
        "cron(* * * * * *)",
        "cron(* * ? * ? *)",
        "cron(60 * * * ? *)",
        "cron(* 24 * * ? *)",
        "cron(* * 0 * ? *)",
        "cron(* * 32 * ? *)",
        "cron(* * * 13 ? *)",
        "cron(* * ? * 8 *)",
        "cron(* * ? * MOO *)",
        "cron(* * * * ? 1969)",
        "cron(*/0 * * * ? *)",
        "cron(1- * * * ? *)",
        "cron(? * * * ? *)",
        "cron(* * ? * 2#6 *)",
        "cron(* * LL * ? *)",
        "at(2026-11-20)",
        "at(2026-13-20T00:00:00)",
        "at(2026-11-20T13:00:00Z)",
        "at(2026-11-20 13:00:00)",
        "Rate(1 minute)",
        "rate(1 minute) ",
    ] {
        assert!(Schedule::parse(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in ".{0,60}") {
        let _ = Schedule::parse(&text);
        let _ = Schedule::parse(&format!("cron({text})"));
    }

    #[test]
    fn the_next_moment_is_always_later(
        minutes in "[0-9]{1,2}|\\*|0/7", hours in "[0-9]|\\*|8-17", after in 0_i64..4_000_000_000_000,
    ) {
        if let Ok(schedule) = Schedule::parse(&format!("cron({minutes} {hours} ? * MON,3L *)")) {
            let next = schedule.next(Timestamp(after), Timestamp(0), &Zone::find("Europe/Berlin").unwrap());
            prop_assert!(next.is_some_and(|next| next.0 > after && next.0 - after < 40 * 86_400_000));
        }
    }
}

#[test]
fn scheduler_takes_units_that_do_not_agree_with_their_value() {
    for (loose, strict) in [
        ("rate(1 hours)", "rate(1 hour)"),
        ("rate(5 minute)", "rate(5 minutes)"),
        ("rate(1 days)", "rate(1 day)"),
    ] {
        assert!(Schedule::parse(loose).is_err(), "{loose}");
        assert_eq!(Schedule::parse_for_scheduler(loose), Schedule::parse(strict), "{loose}");
    }
    for wrong in ["rate(0 hours)", "rate(1 hourss)", "rate(1 s)", "rate(1 seconds)", "rate(1)"] {
        assert!(Schedule::parse_for_scheduler(wrong).is_err(), "{wrong}");
    }
}
