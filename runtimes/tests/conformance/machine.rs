//! Starts the real interpreters of this machine with the real runtime clients, without a sandbox.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Instant;

use domain::{Family, Runtime};
use runtimes::{Catalogue, DetectOptions, Fit, STEM_VARIABLE, Serving, specialisation};
use sandbox::TemplateSpec;

use crate::api::{Api, Headers, Invocation, PATIENCE, Report};

pub const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
pub const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:conformance:live";

/// How a runtime is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything in its environment, as on AWS.
    Plain,
    /// First, and told whose it is afterwards.
    Stem,
}

/// An interpreter of this machine, in one mode.
#[derive(Clone)]
pub struct Machine {
    pub serving: Serving,
    pub mode: Mode,
}

/// Runs `test` for every version of `family` that this machine has, in both modes. There must be one.
pub fn everywhere(family: Family, test: impl Fn(&Machine)) {
    let catalogue = catalogue();
    let of_family = Runtime::ALL.iter().filter(|runtime| runtime.family() == family);
    let exact: Vec<Serving> = of_family
        .filter_map(|runtime| catalogue.serve(*runtime).ok())
        .filter(|serving| serving.fit() == Fit::Exact)
        .collect();
    assert!(!exact.is_empty(), "no {family:?} on this machine: install one to run these tests");
    for serving in exact {
        each_mode(&serving, &test);
    }
}

/// Runs `test` for one identifier, whatever serves it, in both modes.
pub fn as_runtime(runtime: Runtime, test: impl Fn(&Machine)) {
    each_mode(&catalogue().serve(runtime).unwrap(), test);
}

fn each_mode(serving: &Serving, test: impl Fn(&Machine)) {
    let modes: &[Mode] = if serving.can_be_stem() { &[Mode::Plain, Mode::Stem] } else { &[Mode::Plain] };
    for &mode in modes {
        let machine = Machine { serving: serving.clone(), mode };
        eprintln!("{} {mode:?}", machine.serving.version_label());
        test(&machine);
    }
}

pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runtimes");
        Catalogue::detect(&DetectOptions::host(cache)).unwrap()
    })
}

impl Machine {
    /// Starts a function of these files.
    pub fn start(&self, files: &[(&str, &str)], handler: &str) -> Function {
        self.start_with(files, handler, &[])
    }

    /// Starts a function with variables of its own. `/task` in a value is the function's directory.
    pub fn start_with(&self, files: &[(&str, &str)], handler: &str, variables: &[(&str, &str)]) -> Function {
        let place = tempfile::tempdir().unwrap();
        let task = place.path().canonicalize().unwrap().join("task");
        std::fs::create_dir(&task).unwrap();
        for (name, text) in files {
            let file = task.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        self.start_at(place, handler, variables)
    }

    /// Starts a function of what is in `directory`.
    pub fn start_copy(&self, directory: &Path, handler: &str, variables: &[(&str, &str)]) -> Function {
        let place = tempfile::tempdir().unwrap();
        let task = place.path().canonicalize().unwrap().join("task");
        assert!(Command::new("cp").arg("-r").args([directory, &task]).status().unwrap().success());
        self.start_at(place, handler, variables)
    }

    fn start_at(&self, place: tempfile::TempDir, handler: &str, variables: &[(&str, &str)]) -> Function {
        let task = place.path().canonicalize().unwrap().join("task");
        let api = Api::start();
        let base = self.base_environment(&api, &task);
        let mut own = own_environment(handler);
        own.extend(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.replace("/task", task.to_str().unwrap()))),
        );
        let frames = place.path().join("frames");
        let (child, output) = self.spawn(base, own, handler, &frames, &task);
        Function { child, api, output, place, task }
    }

    fn base_environment(&self, api: &Api, task: &Path) -> BTreeMap<String, String> {
        let template = self.serving.template();
        let client = outside(
            &template,
            match self.serving.runtime().family() {
                Family::Node => "/var/runtime/index.mjs",
                Family::Java => "/var/runtime/classes",
                Family::Ruby => "/var/runtime/bootstrap.rb",
                _ => "/var/runtime/bootstrap.py",
            },
        );
        let runtime_dir = client.parent().unwrap().to_str().unwrap().to_owned();
        let mut base = self.serving.command(512).env;
        base.insert("AWS_LAMBDA_RUNTIME_API".to_owned(), api.address.to_string());
        base.insert("LAMBDA_TASK_ROOT".to_owned(), task.to_str().unwrap().to_owned());
        base.insert("LAMBDA_RUNTIME_DIR".to_owned(), runtime_dir.clone());
        base.insert(
            "HEARTH_LAYERS_ROOT".to_owned(),
            task.parent().unwrap().join("opt").to_str().unwrap().to_owned(),
        );
        if base.contains_key("PYTHONPATH") {
            base.insert("PYTHONPATH".to_owned(), runtime_dir);
        }
        if let Some(path) = base.get_mut("NODE_PATH") {
            *path = path.replace("/opt/", &format!("{}/opt/", task.parent().unwrap().display()));
        }
        base.remove("LD_LIBRARY_PATH");
        base
    }

    fn spawn(
        &self,
        mut base: BTreeMap<String, String>,
        own: BTreeMap<String, String>,
        handler: &str,
        frames: &Path,
        task: &Path,
    ) -> (Child, Output) {
        let template = self.serving.template();
        let argv = self.serving.command(512).argv;
        let argv: Vec<PathBuf> = argv.iter().map(|argument| outside(&template, argument)).collect();
        let (ours, theirs) = UnixStream::pair().unwrap();
        match self.mode {
            Mode::Plain => base.extend(own.clone()),
            Mode::Stem => drop(base.insert(STEM_VARIABLE.to_owned(), "1".to_owned())),
        }
        // The shell moves the control socket to descriptor 3 and opens 4 for framed logs.
        let script = r#"frames=$0; exec "$@" 3<&0 0</dev/null 4>>"$frames""#;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).arg(frames).args(argv).env_clear().envs(base);
        let cwd = if self.mode == Mode::Stem { Path::new("/") } else { task };
        command.current_dir(cwd).stdin(OwnedFd::from(theirs)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(command);
        let output = Output::collect(&mut child);
        if self.mode == Mode::Stem {
            specialise(ours, &own, handler, &output);
        }
        (child, output)
    }
}

fn specialise(mut control: UnixStream, own: &BTreeMap<String, String>, handler: &str, output: &Output) {
    control.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut ready = [0];
    let read = control.read_exact(&mut ready);
    assert!(read.is_ok(), "not ready: {}", output.text());
    control.write_all(&specialisation(own, handler)).unwrap();
}

/// What a sandbox's path is on the host, by the template; itself if the template does not say.
fn outside(template: &TemplateSpec, inside: &str) -> PathBuf {
    let inside = Path::new(inside);
    if let Some(bind) = template.binds.iter().find(|bind| bind.inside == inside) {
        return bind.host.clone();
    }
    let link = template.symlinks.iter().find(|link| link.inside == inside);
    link.map_or_else(|| inside.to_owned(), |link| link.target.clone())
}

fn own_environment(handler: &str) -> BTreeMap<String, String> {
    let pairs = [
        ("_HANDLER", handler),
        ("AWS_LAMBDA_FUNCTION_NAME", "conformance"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/conformance"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/20/[7]5ca1ab1e"),
        ("AWS_REGION", "us-east-1"),
        ("GREETING", "grüß dich"),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A running function.
pub struct Function {
    child: Child,
    pub api: Api,
    pub output: Output,
    place: tempfile::TempDir,
    pub task: PathBuf,
}

impl Function {
    /// Invokes it and waits for what it says.
    pub fn invoke(&self, event: &str) -> Report {
        self.invoke_with(event.as_bytes(), &[])
    }

    pub fn invoke_with(&self, event: &[u8], headers: &[(&str, &str)]) -> Report {
        self.hand_out(event, headers);
        self.api.report().unwrap_or_else(|| panic!("no report; it wrote: {}", self.output.text()))
    }

    pub fn hand_out(&self, event: &[u8], headers: &[(&str, &str)]) {
        let deadline =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() + 30_000;
        let mut all = Headers::from([
            ("Lambda-Runtime-Aws-Request-Id".to_owned(), REQUEST_ID.to_owned()),
            ("Lambda-Runtime-Deadline-Ms".to_owned(), deadline.to_string()),
            ("Lambda-Runtime-Invoked-Function-Arn".to_owned(), ARN.to_owned()),
        ]);
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.api.hand_out(Invocation { headers: all, body: event.to_vec() });
    }

    /// What it says of a start that failed, and the code it exits with.
    pub fn failed_start(mut self) -> (Report, i32, String) {
        let report =
            self.api.report().unwrap_or_else(|| panic!("no report; it wrote: {}", self.output.text()));
        assert_eq!(report.path, "init/error", "{}", String::from_utf8_lossy(&report.body));
        (report, self.exit_code(), self.output.text())
    }

    /// Waits for the process to end.
    pub fn exit_code(&mut self) -> i32 {
        let status = self.child.wait().unwrap();
        self.output.wait_for_end();
        status.code().unwrap_or(-1)
    }

    /// The framed log messages: type, microseconds since 1970, message.
    pub fn frames(&self) -> Vec<(u32, u64, String)> {
        let mut bytes = std::fs::read(self.place.path().join("frames")).unwrap();
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let kind = u32::from_be_bytes(bytes[..4].try_into().unwrap());
            let length = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
            let at = u64::from_be_bytes(bytes[8..16].try_into().unwrap());
            frames.push((kind, at, String::from_utf8(bytes[16..16 + length].to_vec()).unwrap()));
            bytes.drain(..16 + length);
        }
        frames
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a function writes to standard output and standard error.
#[derive(Clone)]
pub struct Output(Arc<(Mutex<Collected>, Condvar)>);

#[derive(Default)]
struct Collected {
    text: Vec<u8>,
    ended: usize,
}

impl Output {
    fn collect(child: &mut Child) -> Self {
        let output = Self(Arc::default());
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for mut stream in streams {
            let output = output.clone();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                loop {
                    let count = stream.read(&mut buffer).unwrap_or(0);
                    let (collected, news) = &*output.0;
                    let mut collected = collected.lock().unwrap();
                    collected.text.extend(&buffer[..count]);
                    collected.ended += usize::from(count == 0);
                    news.notify_all();
                    if count == 0 {
                        return;
                    }
                }
            });
        }
        output
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().unwrap().text).into_owned()
    }

    /// Waits until it has written `needle`, and returns all of it.
    pub fn with(&self, needle: &str) -> String {
        self.wait(|collected| String::from_utf8_lossy(&collected.text).contains(needle));
        let text = self.text();
        assert!(text.contains(needle), "{needle:?} is not in {text:?}");
        text
    }

    fn wait_for_end(&self) {
        self.wait(|collected| collected.ended == 2);
    }

    fn wait(&self, done: impl Fn(&Collected) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let (collected, news) = &*self.0;
        let mut collected = collected.lock().unwrap();
        while !done(&collected) && Instant::now() < deadline {
            collected = news.wait_timeout(collected, PATIENCE).unwrap().0;
        }
    }
}
