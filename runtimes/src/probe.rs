//! Runs a candidate to learn what it is. A shim that answers "not found" is not an interpreter, nor is what hangs.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use domain::Family;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::interpreter::{Interpreter, Version};
use crate::libraries;
use crate::table::{Answer, Language};

/// How long a candidate may take to describe itself. Interpreters take 10 to 100 ms, on a busy machine ten times that.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer is a few hundred bytes; a program that prints without end is not an interpreter.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What running a candidate showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// It is an interpreter that can serve.
    Interpreter(Interpreter),
    /// It is not: it failed, or is of another implementation or version.
    Nothing,
    /// It did not answer in time. Not remembered: the machine may have been busy.
    Silent,
}

/// What an interpreter says of itself; [`Language::describe`] asks.
#[derive(Deserialize)]
struct Description {
    version: Version,
    #[serde(rename = "final")]
    is_final: bool,
    implementation: String,
    variant: String,
    executable: PathBuf,
    prefix: PathBuf,
    libraries: Vec<PathBuf>,
    hidden: Vec<PathBuf>,
}

/// Runs `candidate` and learns what it is.
pub fn probe(family: Family, language: &Language, candidate: &Path, timeout: Duration) -> Finding {
    let Some(answer) = ask(candidate, language, timeout) else { return Finding::Silent };
    let description = match language.answer {
        Answer::Json => serde_json::from_slice(&answer).ok(),
        Answer::JavaProperties => of_java(&String::from_utf8_lossy(&answer)),
    };
    description.map_or(Finding::Nothing, |description| judge(family, language, description))
}

/// Reads lines such as `    java.version = 17.0.15`.
fn of_java(properties: &str) -> Option<Description> {
    let property = |name: &str| {
        let mut lines = properties.lines().filter_map(|line| line.trim().split_once(" = "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let prefix = PathBuf::from(property("java.home")?);
    let version = property("java.version")?;
    let (numbers, stage) = version.split_once('-').unwrap_or((version, ""));
    let mut numbers = numbers.split(['.', '_']).map(|number| number.parse().ok());
    let mut next = || numbers.next().unwrap_or(Some(0));
    Some(Description {
        version: Version::from((next()?, next()?, next()?)),
        is_final: stage.is_empty(),
        implementation: "java".to_owned(),
        variant: String::new(),
        executable: prefix.join("bin/java"),
        libraries: vec![prefix.clone()],
        prefix,
        hidden: Vec::new(),
    })
}

fn judge(family: Family, language: &Language, description: Description) -> Finding {
    let Description { version, is_final, implementation, variant, executable, prefix, libraries, hidden } =
        description;
    // A free-threaded or debugging build is another binary interface: packages built for Lambda do not load in it.
    let serves = matches!(implementation.as_str(), "cpython" | "node" | "java" | "ruby")
        && variant.is_empty()
        && is_final
        && language.lines.contains(&(language.line)(version))
        && (family != Family::Python || version.major == 3);
    let Ok(executable) = std::fs::canonicalize(executable) else { return Finding::Nothing };
    if !serves {
        return Finding::Nothing;
    }
    let standard_library: Vec<PathBuf> =
        libraries.into_iter().filter(|directory| directory.is_dir()).collect();
    let hidden = hidden.into_iter().filter(|directory| directory.is_dir()).collect();
    let mut shared_libraries = libraries::needed(&executable, &standard_library);
    // A whole prefix brings its own.
    shared_libraries.retain(|library| family != Family::Java || !library.path.starts_with(&prefix));
    Finding::Interpreter(Interpreter {
        family,
        version,
        executable,
        prefix,
        standard_library,
        hidden,
        shared_libraries,
    })
}

/// What the program prints, empty if it cannot be run; `None` if it does not end in time.
fn ask(program: &Path, language: &Language, timeout: Duration) -> Option<Vec<u8>> {
    let mut command = match language.answer {
        Answer::Json => Command::new(program),
        Answer::JavaProperties => {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(program);
            shell
        }
    };
    // A project's version file in the current directory must not choose for a shim, nor a preload change the answer.
    command.args(language.describe).current_dir("/");
    for variable in [
        "NODE_OPTIONS",
        "LD_PRELOAD",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "_JAVA_OPTIONS",
        "RUBYOPT",
        "RUBYLIB",
    ] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let Ok(mut child) = command.spawn() else { return Some(Vec::new()) };
    let answer = read_within(&mut child, timeout);
    if answer.is_none() {
        kill_group(&child);
    }
    let status = child.wait();
    let ended_well = status.is_ok_and(|status| status.success());
    answer.map(|answer| if ended_well { answer } else { Vec::new() })
}

/// Reads to the end, or to the end of the time. Without a thread: the server detects while it must have only one.
fn read_within(child: &mut Child, timeout: Duration) -> Option<Vec<u8>> {
    let mut stdout = child.stdout.take().expect("standard output was piped");
    let deadline = Instant::now() + timeout;
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    let mut filled = 0;
    while filled < answer.len() {
        let left = Timespec::try_from(deadline.checked_duration_since(Instant::now())?).ok()?;
        match poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&left)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => break,
        }
        match stdout.read(&mut answer[filled..]) {
            Ok(0) | Err(_) => break,
            Ok(count) => filled += count,
        }
    }
    answer.truncate(filled);
    Some(answer)
}

/// Kills the candidate and what it started: a shim is a shell that waits for its child.
fn kill_group(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::table::{How, how};

    const PYTHON_3_12_1: &str = r#"{"version":[3,12,1],"final":true,"implementation":"cpython","variant":"","executable":"/bin/sh","prefix":"/opt/p","libraries":["/"],"hidden":[]}"#;

    #[test]
    fn a_program_that_describes_itself_is_an_interpreter() {
        let Finding::Interpreter(found) = run(&format!("echo '{PYTHON_3_12_1}'")) else {
            panic!("not found")
        };
        assert_eq!(found.version.to_string(), "3.12.1");
        assert_eq!(found.prefix, Path::new("/opt/p"));
    }

    #[test]
    fn a_virtual_machine_shows_its_properties() {
        for (version, expected, is_final) in [
            ("17.0.15", (17, 0, 15), true),
            ("21", (21, 0, 0), true),
            ("11.0.2.1", (11, 0, 2), true),
            ("26-ea", (26, 0, 0), false),
            ("1.8.0_402", (1, 8, 0), true),
        ] {
            let shown = format!(
                "Property settings:\n    java.home = /opt/jdk\n    java.io.tmpdir = /tmp\n    java.version = {version}\n\nopenjdk"
            );
            let description = of_java(&shown).unwrap();
            assert_eq!((description.version, description.is_final), (Version::from(expected), is_final));
            assert_eq!(description.executable, Path::new("/opt/jdk/bin/java"));
        }
        assert!(of_java("java: command not found").is_none());
    }

    #[test]
    fn what_cannot_serve_is_nothing() {
        check_nothing("echo \"pyenv: python3.12: command not found\" >&2; exit 127");
        check_nothing("echo Python 2.7.18");
        check_nothing(&format!("echo '{PYTHON_3_12_1}'; exit 1"));
        for (from, to) in [
            ("cpython", "pypy"),
            ("3,12,1", "3,8,18"),
            ("3,12,1", "2,12,1"),
            (r#""variant":"""#, r#""variant":"t""#),
            (r#""final":true"#, r#""final":false"#),
            ("/bin/sh", "/no/such/program"),
        ] {
            check_nothing(&format!("echo '{}'", PYTHON_3_12_1.replace(from, to)));
        }
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_what_it_started() {
        let (place, program) = script("sleep 600 & echo $! > $(dirname $0)/child; sleep 600");
        assert_eq!(probe(Family::Python, python(), &program, Duration::from_millis(300)), Finding::Silent);
        let child = std::fs::read_to_string(place.path().join("child")).unwrap();
        // Dying takes a moment, and the kernel says when it is over; an error means that it is over already.
        let child = rustix::process::Pid::from_raw(child.trim().parse().unwrap()).unwrap();
        if let Ok(child) = rustix::process::pidfd_open(child, rustix::process::PidfdFlags::empty()) {
            let patience = Timespec { tv_sec: 20, tv_nsec: 0 };
            assert_eq!(
                poll(&mut [PollFd::new(&child, PollFlags::IN)], Some(&patience)),
                Ok(1),
                "still there"
            );
        }
    }

    fn check_nothing(body: &str) {
        assert_eq!(run(body), Finding::Nothing, "{body}");
    }

    fn run(body: &str) -> Finding {
        let (_place, program) = script(body);
        probe(Family::Python, python(), &program, PROBE_TIMEOUT)
    }

    fn python() -> &'static Language {
        let How::Interpreter(language) = how(Family::Python) else { panic!("Python has an interpreter") };
        language
    }

    fn script(body: &str) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let program = place.path().join("python3");
        std::fs::write(&program, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        (place, program)
    }
}
