//! A runtime inside the test's own process: it speaks the Runtime API over loopback TCP and isolates nothing.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{
    CodeRef, FunctionName, FunctionVersion, LogFormat, LoggingConfig, Runtime, Scope, TracingMode, Version,
    limits,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{BoxFuture, Cell, Dialer, Exit, Fault, Isolation, LaunchError, Process, StartError, Usage};

/// What the fake runtime does, from its start to its end.
pub type Script = Arc<dyn Fn(Inside) -> BoxFuture<'static, Exit> + Send + Sync>;

/// An isolation whose every runtime follows one script.
#[derive(Clone)]
pub struct Fake {
    script: Script,
    extensions: Arc<Vec<(String, Script)>>,
    counts: Arc<Counts>,
}

/// What has happened so far, for tests to look at.
#[derive(Debug)]
pub struct Counts {
    /// Cells acquired.
    pub cells: AtomicUsize,
    /// Runtimes started.
    pub starts: AtomicUsize,
    /// Cells destroyed.
    pub destroyed: AtomicUsize,
    /// Freezes.
    pub freezes: AtomicUsize,
    /// Thaws.
    pub thaws: AtomicUsize,
    /// What [`Isolation::available_memory_mib`] says.
    pub available_memory_mib: AtomicU64,
    /// What [`Usage::oom_kills`] says.
    pub oom_kills: AtomicU64,
}

impl Fake {
    /// Every runtime does this.
    pub fn new<F>(script: impl Fn(Inside) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Exit> + Send + 'static,
    {
        let counts = Counts {
            cells: AtomicUsize::new(0),
            starts: AtomicUsize::new(0),
            destroyed: AtomicUsize::new(0),
            freezes: AtomicUsize::new(0),
            thaws: AtomicUsize::new(0),
            available_memory_mib: AtomicU64::new(u64::MAX / 2),
            oom_kills: AtomicU64::new(0),
        };
        Self {
            script: Arc::new(move |inside| Box::pin(script(inside))),
            extensions: Arc::default(),
            counts: Arc::new(counts),
        }
    }

    /// With an external extension that does this.
    #[must_use]
    pub fn with_extension<F>(
        mut self,
        name: &str,
        script: impl Fn(Inside) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Exit> + Send + 'static,
    {
        let extension: (String, Script) = (name.to_owned(), Arc::new(move |inside| Box::pin(script(inside))));
        Arc::make_mut(&mut self.extensions).push(extension);
        self
    }

    /// Every runtime answers each event with itself.
    pub fn echo() -> Self {
        Self::new(|inside| async move {
            let mut api = inside.connect().await;
            loop {
                let event = api.next().await;
                api.respond(&event.request_id, &event.payload).await;
            }
        })
    }

    /// What has happened so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Isolation for Fake {
    fn acquire<'a>(
        &'a self,
        _version: &'a Arc<FunctionVersion>,
    ) -> BoxFuture<'a, Result<Box<dyn Cell>, StartError>> {
        Box::pin(async move {
            let fault = |error: std::io::Error| StartError::Fault(Fault(error.to_string()));
            let listener = TcpListener::bind("127.0.0.1:0").await.map_err(fault)?;
            let address = listener.local_addr().map_err(fault)?.to_string();
            self.counts.cells.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(FakeCell {
                script: Arc::clone(&self.script),
                names: self.extensions.iter().map(|(name, _)| name.clone()).collect(),
                extensions: Arc::clone(&self.extensions),
                counts: Arc::clone(&self.counts),
                address,
                listener: Arc::new(listener),
                running: Mutex::default(),
                notes: Arc::default(),
            }) as Box<dyn Cell>)
        })
    }

    fn available_memory_mib(&self) -> u64 {
        self.counts.available_memory_mib.load(Ordering::SeqCst)
    }
}

struct FakeCell {
    script: Script,
    names: Vec<String>,
    extensions: Arc<Vec<(String, Script)>>,
    counts: Arc<Counts>,
    address: String,
    listener: Arc<TcpListener>,
    running: Mutex<Vec<tokio::task::AbortHandle>>,
    notes: Notes,
}

/// What survives a reset: the fake's `/tmp`.
pub type Notes = Arc<Mutex<BTreeMap<String, String>>>;

impl FakeCell {
    fn abort(&self) {
        for running in self.running.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            running.abort();
        }
    }

    fn run(&self, script: &Script, mut variables: BTreeMap<String, String>) -> std::io::Result<Process> {
        let ((out_sender, stdout), (err_sender, stderr)) = (pipe::pipe()?, pipe::pipe()?);
        let (ended, exit) = oneshot::channel();
        variables.insert("AWS_LAMBDA_RUNTIME_API".to_owned(), self.address.clone());
        let terminated = Arc::new(tokio::sync::Notify::new());
        let inside = Inside {
            variables,
            notes: Arc::clone(&self.notes),
            terminated: Arc::clone(&terminated),
            stdout: Arc::new(out_sender),
            stderr: Arc::new(err_sender),
        };
        let script = script(inside);
        let task = tokio::spawn(async move {
            let _ = ended.send(script.await);
        });
        let running = task.abort_handle();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(running.clone());
        // An aborted script was killed.
        let exited = Box::pin(async move { exit.await.unwrap_or(Exit::Signal(9)) });
        let signal = Box::new(move |signal| {
            match signal {
                9 => running.abort(),
                _ => terminated.notify_one(),
            }
            Box::pin(async { Ok(()) }) as BoxFuture<'static, Result<(), Fault>>
        });
        Ok(Process { stdout, stderr, exited, signal })
    }
}

impl Cell for FakeCell {
    fn runtime_version(&self) -> &str {
        "fake:1"
    }

    fn listener(&self) -> Arc<TcpListener> {
        Arc::clone(&self.listener)
    }

    fn start(&mut self, variables: BTreeMap<String, String>) -> BoxFuture<'_, Result<Process, StartError>> {
        Box::pin(async move {
            self.counts.starts.fetch_add(1, Ordering::SeqCst);
            self.run(&self.script, variables).map_err(|error| StartError::Fault(Fault(error.to_string())))
        })
    }

    fn extensions(&self) -> &[String] {
        &self.names
    }

    fn start_extension(
        &self,
        name: &str,
        variables: BTreeMap<String, String>,
    ) -> BoxFuture<'_, Result<Process, LaunchError>> {
        let found = self.extensions.iter().find(|(known, _)| known == name);
        let launch = |kind, why: &str| LaunchError { kind, why: why.to_owned() };
        let started = match found {
            Some((name, _)) if name.starts_with("unlaunchable") => {
                Err(launch("PermissionDenied", "it may not be executed"))
            }
            Some((_, script)) => {
                self.run(script, variables).map_err(|error| launch("UnknownError", &error.to_string()))
            }
            None => Err(launch("UnknownError", "no such extension")),
        };
        Box::pin(async move { started })
    }

    fn dialer(&self) -> Dialer {
        Arc::new(|port| Box::pin(TcpStream::connect(("127.0.0.1", port))))
    }

    fn begin_init(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn end_init(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn freeze(&self) -> Result<(), Fault> {
        self.counts.freezes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn thaw(&self) -> Result<(), Fault> {
        self.counts.thaws.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn kill(&self) -> BoxFuture<'_, Result<(), Fault>> {
        self.abort();
        Box::pin(async { Ok(()) })
    }

    fn usage(&self) -> Usage {
        let oom_kills = self.counts.oom_kills.load(Ordering::SeqCst);
        Usage { memory_bytes: 20 << 20, memory_bytes_max: 30 << 20, oom_kills }
    }

    /// It takes a moment, in which the script still runs.
    fn destroy(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            self.abort();
            self.counts.destroyed.fetch_add(1, Ordering::SeqCst);
        })
    }
}

impl Drop for FakeCell {
    fn drop(&mut self) {
        self.abort();
    }
}

/// What a script has to work with.
#[derive(Clone)]
pub struct Inside {
    /// Its environment.
    pub variables: BTreeMap<String, String>,
    /// What a former start in the same cell left behind.
    pub notes: Notes,
    /// Told when the process is asked to end (SIGTERM).
    pub terminated: Arc<tokio::sync::Notify>,
    stdout: Arc<pipe::Sender>,
    stderr: Arc<pipe::Sender>,
}

impl Inside {
    /// A connection to the Runtime API.
    pub async fn connect(&self) -> Client {
        let stream =
            TcpStream::connect(&self.variables["AWS_LAMBDA_RUNTIME_API"]).await.expect("listener is open");
        stream.set_nodelay(true).expect("a TCP socket");
        Client { stream, buffer: Vec::new() }
    }

    /// Prints to standard output.
    pub async fn print(&self, text: &str) {
        write(&self.stdout, text).await;
    }

    /// Prints to standard error.
    pub async fn print_error(&self, text: &str) {
        write(&self.stderr, text).await;
    }

    /// Waits for ever, or until killed.
    pub async fn hang(&self) -> Exit {
        std::future::pending().await
    }
}

async fn write(pipe: &pipe::Sender, text: &str) {
    let mut bytes = text.as_bytes();
    while !bytes.is_empty() {
        if pipe.writable().await.is_err() {
            return;
        }
        match pipe.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// A runtime's view of the Runtime API.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An event as a runtime gets it.
pub struct Delivery {
    /// `Lambda-Runtime-Aws-Request-Id`
    pub request_id: String,
    /// Every header, in lower case.
    pub headers: BTreeMap<String, String>,
    /// The event.
    pub payload: Vec<u8>,
}

/// An answer of the Runtime API.
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Every header, in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// Waits for an event. Never returns if the environment ends.
    pub async fn next(&mut self) -> Delivery {
        let answered = self.request("GET", "/2018-06-01/runtime/invocation/next", "", b"").await;
        let Some(request_id) = answered.headers.get("lambda-runtime-aws-request-id").cloned() else {
            return std::future::pending().await;
        };
        Delivery { request_id, headers: answered.headers, payload: answered.body }
    }

    /// Posts a response and gives the status.
    pub async fn respond(&mut self, request_id: &str, body: &[u8]) -> u16 {
        let path = format!("/2018-06-01/runtime/invocation/{request_id}/response");
        self.request("POST", &path, "", body).await.status
    }

    /// Posts an error of the function and gives the status.
    pub async fn fail(&mut self, request_id: &str, error_type: &str, body: &[u8]) -> u16 {
        let path = format!("/2018-06-01/runtime/invocation/{request_id}/error");
        let header = format!("Lambda-Runtime-Function-Error-Type: {error_type}\r\n");
        self.request("POST", &path, &header, body).await.status
    }

    /// Reports that the runtime could not start and gives the status.
    pub async fn fail_init(&mut self, error_type: &str, body: &[u8]) -> u16 {
        let header = format!("Lambda-Runtime-Function-Error-Type: {error_type}\r\n");
        self.request("POST", "/2018-06-01/runtime/init/error", &header, body).await.status
    }

    /// Any request. Waits for ever if the connection ends.
    pub async fn request(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answered {
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: runtime\r\ncontent-length: {length}\r\n{headers}\r\n");
        self.send(head.as_bytes()).await;
        self.send(body).await;
        self.receive().await
    }

    /// Raw bytes, for requests that are not well formed.
    pub async fn send(&mut self, bytes: &[u8]) {
        // Whether it arrived shows in the answer.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Raw bytes on a connection of their own, which is closed at once.
    pub async fn send_elsewhere(&self, bytes: &[u8]) {
        let address = self.stream.peer_addr().expect("a connected socket");
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let _ = stream.write_all(bytes).await;
        }
    }

    /// The next answer. Waits for ever if the connection ends.
    pub async fn receive(&mut self) -> Answered {
        let end = loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            self.fill().await;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let headers: BTreeMap<String, String> = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length: usize =
            headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
        while self.buffer.len() < length {
            self.fill().await;
        }
        let body = self.buffer.drain(..length).collect();
        Answered { status, headers, body }
    }

    async fn fill(&mut self) {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(1..) => {}
            _ => std::future::pending().await,
        }
    }
}

/// A function version with AWS's defaults.
pub fn version(name: &str) -> FunctionVersion {
    FunctionVersion {
        scope: Scope::default(),
        name: FunctionName::parse(name).expect("a legal name"),
        version: Version::Latest,
        revision: Uuid::new_v4(),
        runtime: Runtime::ProvidedAl2023,
        handler: "index.handler".to_owned(),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        code: CodeRef("0".repeat(64)),
        layers: Vec::new(),
        environment: BTreeMap::new(),
        memory_mib: limits::MEMORY_MB_DEFAULT,
        timeout: Duration::from_secs(u64::from(limits::TIMEOUT_SECONDS_DEFAULT)),
        ephemeral_storage_mib: limits::EPHEMERAL_STORAGE_MB_DEFAULT,
        logging: LoggingConfig {
            group: format!("/aws/lambda/{name}"),
            format: LogFormat::Text,
            application_level: None,
            system_level: None,
        },
        tracing: TracingMode::PassThrough,
        snap_start: false,
        per_tenant: false,
    }
}
