use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::{Clock as _, Timestamp};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test]
async fn the_machines_clock_cannot_be_moved() {
    assert_eq!(Time::system().advance(seconds(1), PATIENCE).await, Err(NotVirtual));
}

#[tokio::test]
async fn a_moment_that_has_come_is_not_waited_for() {
    for time in [Time::system(), Time::virtual_at(Timestamp(5_000))] {
        drop(time.sleep_until(Timestamp(5_000)).await);
    }
}

#[tokio::test]
async fn each_sleeper_wakes_at_its_own_moment_and_may_ask_for_another_on_the_way() {
    let time = Time::virtual_at(Timestamp(0));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sleeper = {
        let (time, seen) = (time.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            for span in [60, 120, 600] {
                let due = time.sleep(seconds(span)).await;
                seen.lock().unwrap().push(time.now().0);
                drop(due);
            }
        })
    };
    assert_eq!(time.advance(seconds(300), PATIENCE).await, Ok(Timestamp(300_000)));
    assert_eq!(*seen.lock().unwrap(), [60_000, 180_000]);
    time.advance(seconds(480), PATIENCE).await.unwrap();
    sleeper.await.unwrap();
    assert_eq!(seen.lock().unwrap().last(), Some(&780_000));
}

#[tokio::test]
async fn time_waits_for_what_was_due() {
    let time = Time::virtual_at(Timestamp(0));
    let worker = {
        let time = time.clone();
        tokio::spawn(async move {
            let due = time.sleep(seconds(1)).await;
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
            let at = time.now();
            drop(due);
            at
        })
    };
    time.advance(seconds(10), PATIENCE).await.unwrap();
    assert_eq!(worker.await.unwrap(), Timestamp(1_000));
}

#[tokio::test]
async fn who_stopped_waiting_is_forgotten() {
    let time = Time::virtual_at(Timestamp(0));
    let waiting = tokio::time::timeout(Duration::from_millis(1), time.sleep(seconds(5)));
    assert!(waiting.await.is_err());
    assert_eq!(time.advance(seconds(10), PATIENCE).await, Ok(Timestamp(10_000)));
}

#[tokio::test]
async fn alarms_ring_in_the_order_of_their_moments_unless_they_are_moved() {
    let time = Time::virtual_at(Timestamp(0));
    let alarms = Arc::new(Alarms::new(time.clone()));
    for (name, second) in [("late", 30), ("early", 10), ("off", 5), ("moved", 5)] {
        alarms.set(name, Some(Timestamp(second * 1_000)));
    }
    alarms.set("off", None);
    alarms.set("moved", Some(Timestamp(20_000)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn({
        let (alarms, seen) = (Arc::clone(&alarms), Arc::clone(&seen));
        async move {
            loop {
                let (name, moment, due) = alarms.next().await;
                seen.lock().unwrap().push((name, moment.0));
                if name == "early" {
                    alarms.set("again", Some(Timestamp(15_000)));
                }
                drop(due);
            }
        }
    });
    time.advance(seconds(60), PATIENCE).await.unwrap();
    let expected = [("early", 10_000), ("again", 15_000), ("moved", 20_000), ("late", 30_000)];
    assert_eq!(*seen.lock().unwrap(), expected);
}
