//! What an invocation costs. Not run by default: `cargo test --release -p engine --test speed -- --ignored --nocapture`.

mod support;

use std::time::{Duration, Instant};

use domain::Runtime;
use engine::Limits;
use support::{Fixture, invocation};

const ECHO_PYTHON: &str = "def handler(event, context): return event\n";
const ECHO_NODE: &str = "export const handler = async (event) => event;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; needs a quiet machine"]
async fn warm_invocations_one_after_the_other() {
    for (name, freeze_after) in [("warm", Duration::from_millis(10)), ("frozen each time", Duration::ZERO)] {
        let fixture = Fixture::with(Limits { freeze_after, ..Limits::default() }).await;
        for mut version in
            [fixture.python(ECHO_PYTHON), fixture.function(Runtime::Node20, "index.mjs", ECHO_NODE)]
        {
            // One whole processor: what is measured is not the quota.
            version.memory_mib = 1769;
            fixture.invoke(&version, "{}").await;
            let cpu = processor_time();
            let (engine, asked) = (fixture.engine.clone(), version.clone());
            // A task like a server's: the test's own thread would have to be woken each time.
            let spans = tokio::spawn(async move {
                let mut spans = Vec::new();
                for _ in 0..2000 {
                    let begun = Instant::now();
                    engine.invoke(invocation(&asked, "{\"a\":1}")).await.unwrap();
                    spans.push(begun.elapsed());
                    if freeze_after.is_zero() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
                spans
            });
            let spans = spans.await.unwrap();
            print(&format!("{name}, {}", version.runtime), spans, processor_time() - cpu);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; needs a quiet machine"]
async fn cold_starts_one_after_the_other() {
    let fixture = Fixture::start().await;
    for (runtime, file, code) in
        [(Runtime::Python312, "index.py", ECHO_PYTHON), (Runtime::Node20, "index.mjs", ECHO_NODE)]
    {
        fixture.invoke(&fixture.function(runtime, file, code), "{}").await;
        let mut spans = Vec::new();
        let cpu = processor_time();
        for _ in 0..20 {
            let version = fixture.function(runtime, file, code);
            let begun = Instant::now();
            fixture.engine.invoke(invocation(&version, "{}")).await.unwrap();
            spans.push(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        print(&format!("cold, {runtime}"), spans, processor_time() - cpu);
    }
}

/// Of this process, in hundredths of a second: not of the functions, nor of the launcher.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn print(name: &str, mut spans: Vec<Duration>, cpu: Duration) {
    spans.sort_unstable();
    let at = |part: usize| spans[spans.len() * part / 100];
    let each = cpu / u32::try_from(spans.len()).unwrap();
    println!(
        "{name}: p50 {:?}, p90 {:?}, p99 {:?}; own processor time {each:?} each",
        at(50),
        at(90),
        at(99)
    );
}
