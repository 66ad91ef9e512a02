//! Functions from stems: the whole suite of [`functions`] again, and what only stems have to keep.

#[path = "functions.rs"]
mod functions;

use std::collections::BTreeSet;
use std::time::Duration;

use domain::{FunctionVersion, Runtime};
use engine::Limits;
use engine::isolation::{Ahead, Figures};
use functions::support::{Fixture, json, text};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

const ECHO: &str = "def handler(event, context): return event\n";

/// Everything that a Python function may notice of how its process was started.
const LOOK_PYTHON: &str = r"
import os, resource, signal, sys
def handler(event, context):
    return {
        'env': dict(os.environ), 'path': sys.path, 'argv': sys.argv, 'cwd': os.getcwd(), 'pid': os.getpid(),
        'descriptors': sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:4],
        'ids': [os.getuid(), os.getgid(), os.getgroups()], 'umask': os.umask(0o22),
        'limits': [resource.getrlimit(limit) for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)],
        'encoding': [sys.stdout.encoding, sys.stdout.line_buffering, sys.flags.utf8_mode],
        'signals': [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)],
        'tmp': os.listdir('/tmp'), 'space': os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize,
        'client': context.invoked_function_arn, 'log_stream': context.log_stream_name is not None,
        'first': sorted(name for name in vars(sys.modules['__main__']) if not name.startswith('__')),
    }
";

/// The same for Node.js.
const LOOK_NODE: &str = r"
import fs from 'node:fs';
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
export const handler = async (event, context) => ({
    env: process.env, cwd: process.cwd(), pid: process.pid, argv: process.argv, globals: Object.keys(globalThis),
    paths: require('module').globalPaths, offset: new Date().getTimezoneOffset(), listeners: process.eventNames(),
    arn: context.invokedFunctionArn, tmp: fs.readdirSync('/tmp'), ids: [process.getuid(), process.getgid()],
});
";

fn figures(fixture: &Fixture) -> Figures {
    fixture.linux.figures()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// The processes below one, itself left out.
fn descendants(of: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut from = vec![of];
    while let Some(pid) = from.pop() {
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            found.insert(child);
            from.push(child);
        }
    }
    found
}

/// The interpreters that wait in stems.
fn interpreters(fixture: &Fixture) -> Vec<u32> {
    let launcher = fixture.sandboxes.launcher_pid().unwrap();
    let is_interpreter = |pid: &u32| {
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.starts_with("/var/lang/bin/")
    };
    descendants(launcher).into_iter().filter(is_interpreter).collect()
}

#[tokio::test]
async fn a_cold_start_takes_a_stem_and_another_takes_its_place() {
    let fixture = Fixture::start().await;
    let version = fixture.python(ECHO);
    fixture.linux.prepare(&version).await.unwrap();
    assert_eq!(text(&fixture.invoke(&version, "1").await), "1");
    assert_eq!((figures(&fixture).from_stems, figures(&fixture).from_sandboxes), (1, 0));
    until("stems are ready again", || figures(&fixture).stems_ready >= 2).await;
}

/// One function, started both ways, sees the same.
async fn check_same(of: impl Fn(&Fixture) -> FunctionVersion) {
    let mut seen = Vec::new();
    for ahead in [Ahead::Stems, Ahead::Sandboxes] {
        let fixture = Fixture::started(Limits::default(), ahead).await;
        let mut version = of(&fixture);
        version.environment.insert("TZ".into(), "Asia/Tokyo".into());
        version.environment.insert("LÄNGE".into(), "grüß\ngott".into());
        version.ephemeral_storage_mib = 600;
        fixture.linux.prepare(&version).await.unwrap();
        let mut answer = json(&fixture.invoke(&version, "{}").await);
        let env = answer["env"].as_object_mut().unwrap();
        let [stream, trace] = ["AWS_LAMBDA_LOG_STREAM_NAME", "_X_AMZN_TRACE_ID"].map(|name| env.remove(name));
        assert!(trace.is_some());
        assert!(stream.is_some_and(|stream| stream.as_str().is_some_and(|name| name.contains("[$LATEST]"))));
        assert_eq!(figures(&fixture).from_stems, u64::from(ahead == Ahead::Stems));
        seen.push(answer);
    }
    let (stem, fresh) = (&seen[0], &seen[1]);
    for (name, value) in fresh.as_object().unwrap() {
        assert_eq!(&stem[name], value, "{name} differs");
    }
    assert_eq!(stem["env"]["LÄNGE"], Value::from("grüß\ngott"));
}

#[tokio::test]
async fn a_python_function_cannot_tell_a_stem_from_a_fresh_start() {
    check_same(|fixture| fixture.python(LOOK_PYTHON)).await;
}

#[tokio::test]
async fn a_node_function_cannot_tell_a_stem_from_a_fresh_start() {
    check_same(|fixture| fixture.function(Runtime::Node20, "index.mjs", LOOK_NODE)).await;
}

#[tokio::test]
async fn what_is_read_when_a_process_starts_makes_a_fresh_start() {
    let fixture = Fixture::start().await;
    let mut python = fixture.python("import sys\ndef handler(event, context): return sys.flags.optimize\n");
    python.environment.insert("PYTHONOPTIMIZE".into(), "2".into());
    assert_eq!(text(&fixture.invoke(&python, "{}").await), "2");
    let code = "export const handler = async () => new Error('x').stack.split('\\n').length;";
    let mut node = fixture.function(Runtime::Node20, "index.mjs", code);
    node.environment.insert("NODE_OPTIONS".into(), "--stack-trace-limit=0".into());
    assert_eq!(text(&fixture.invoke(&node, "{}").await), "1");
    assert_eq!((figures(&fixture).from_stems, figures(&fixture).from_sandboxes), (0, 2));
}

#[tokio::test]
async fn nodes_heap_follows_the_memory_class() {
    let fixture = Fixture::start().await;
    let code = "import v8 from 'node:v8'; export const handler = async () => v8.getHeapStatistics().heap_size_limit;";
    let mut limits = Vec::new();
    for memory_mib in [128, 1024] {
        let mut version = fixture.function(Runtime::Node20, "index.mjs", code);
        version.memory_mib = memory_mib;
        fixture.linux.prepare(&version).await.unwrap();
        limits.push(text(&fixture.invoke(&version, "{}").await).parse::<u64>().unwrap() >> 20);
    }
    assert!((100..200).contains(&limits[0]) && (900..1200).contains(&limits[1]), "{limits:?}");
    assert_eq!(figures(&fixture).from_stems, 2);
}

#[tokio::test]
async fn a_stem_that_dies_while_it_waits_is_replaced_and_no_caller_notices() {
    let fixture = Fixture::start().await;
    let version = fixture.python(ECHO);
    fixture.linux.prepare(&version).await.unwrap();
    until("a stem waits", || !interpreters(&fixture).is_empty()).await;
    for pid in interpreters(&fixture) {
        kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    }
    // At this very moment, whether it is noticed already or not.
    assert_eq!(
        text(&fixture.engine.invoke(functions::support::invocation(&version, "1")).await.unwrap()),
        "1"
    );
    until("stems are ready again", || figures(&fixture).stems_ready >= 2).await;
}

#[tokio::test]
async fn published_functions_are_prepared_for() {
    let fixture = Fixture::start().await;
    assert_eq!(figures(&fixture), Figures::default());
    let version = fixture.python(ECHO);
    (0..5).for_each(|_| fixture.engine.expect(&version));
    until("there is a stem for each", || figures(&fixture).stems_ready == 5).await;
}

#[tokio::test]
async fn a_refresh_discards_what_was_made_before() {
    let fixture = Fixture::start().await;
    let version = fixture.python(ECHO);
    fixture.linux.prepare(&version).await.unwrap();
    let before: BTreeSet<u32> = interpreters(&fixture).into_iter().collect();
    fixture.linux.refresh();
    until("the old ones are gone", || interpreters(&fixture).iter().all(|pid| !before.contains(pid))).await;
    assert!(!before.is_empty());
    assert_eq!(text(&fixture.invoke(&version, "1").await), "1");
}

#[tokio::test]
async fn a_shutdown_takes_the_stems_along() {
    let fixture = Fixture::start().await;
    let version = fixture.python(ECHO);
    fixture.linux.prepare(&version).await.unwrap();
    let waiting = interpreters(&fixture);
    assert!(!waiting.is_empty());
    fixture.engine.shutdown(Duration::from_secs(5)).await;
    fixture.sandboxes.shutdown().await;
    for pid in waiting {
        assert!(!std::path::Path::new(&format!("/proc/{pid}/exe")).exists(), "{pid} lives");
    }
}

#[tokio::test]
async fn the_most_memory_used_is_the_functions_own() {
    let fixture = Fixture::start().await;
    let version = fixture.python(ECHO);
    fixture.linux.prepare(&version).await.unwrap();
    let (_, tail) = fixture.invoke_tail(&version, "1").await;
    let used = tail.split("Max Memory Used: ").nth(1).unwrap().split(' ').next().unwrap();
    if fixture.sandboxes.strength().memory.is_enforced() {
        assert!((4..64).contains(&used.parse::<u32>().unwrap()), "{tail}");
    }
    assert!(tail.contains("\tInit Duration: "), "{tail}");
}
