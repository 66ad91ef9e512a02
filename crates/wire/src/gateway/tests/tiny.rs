//! Three tiny services, one per protocol, and a client that speaks raw bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::gateway::{Builder, Gateway};
use crate::record::{self, Unit};
use crate::schema::{Bounds, Kind, Location, Member, Operation, Protocol, Service, Shape, Structure};
use crate::{Context, Error, structure};

static BLOB: Shape = shape("Blob", Kind::Blob { length: Bounds::NONE });
static TEXT: Shape = shape("Text", Kind::String { length: Bounds::NONE, pattern: None, values: &[] });
static ECHO: Shape = shape(
    "EchoBody",
    Kind::Structure(Structure {
        members: &[member("Body", Location::Payload, &BLOB)],
        payload: Some("Body"),
        union: false,
    }),
);
static WHO: Shape = shape(
    "WhoOutput",
    Kind::Structure(Structure {
        members: &[
            member("Arn", Location::Body, &TEXT),
            member("Principal", Location::Body, &TEXT),
            member("RequestId", Location::Body, &TEXT),
        ],
        payload: None,
        union: false,
    }),
);

const fn shape(name: &'static str, kind: Kind) -> Shape {
    Shape { name, kind, sensitive: false }
}

const fn member(name: &'static str, location: Location, shape: &'static Shape) -> Member {
    Member {
        name,
        wire_name: name,
        location,
        shape,
        required: false,
        query_name: None,
        timestamp_format: None,
    }
}

structure! {
    /// A body of any bytes.
    EchoBody = &ECHO; { body: Option<Bytes> = "Body", }
}
structure! {
    /// What the context says.
    WhoOutput = &WHO; {
        arn: Option<String> = "Arn",
        principal: Option<String> = "Principal",
        request_id: Option<String> = "RequestId",
    }
}

const fn operation(
    name: &'static str,
    method: &'static str,
    uri: &'static str,
    input: &'static Shape,
    output: &'static Shape,
) -> Operation {
    Operation { name, method, uri, status: 200, input, output, result_wrapper: "", errors: &[] }
}

macro_rules! operations {
    ($service:ident = $model:expr; $($type:ident($input:ty) -> $output:ty: $operation:expr;)*) => {
        $(
            #[allow(dead_code, reason = "an operation that nobody wrote stands in no table")]
            pub(super) struct $type;
            impl record::Operation for $type {
                type Input = $input;
                type Output = $output;
                const MODEL: &'static Operation = &$operation;
            }
        )*
        pub(super) static $service: Service = Service { operations: &[$($operation),*], ..$model };
    };
}

const MODEL: Service = Service {
    name: "tiny",
    full_name: "Tiny",
    api_version: "2015-03-31",
    protocol: Protocol::RestJson,
    also_query: None,
    target_prefix: "",
    xml_namespace: "",
    constraint_error: "ValidationException",
    missing_error: None,
    error_namespace: "",
    malformed_error: "InvalidRequestContentException",
    null_in_collections: false,
    quotes_values: true,
    operations: &[],
    errors: &[],
};

operations! { TINY = MODEL;
    Echo(EchoBody) -> EchoBody: operation("Echo", "POST", "/tiny/echo", &ECHO, &ECHO);
    Panic(Unit) -> Unit: operation("Panic", "GET", "/tiny/panic", Shape::UNIT, Shape::UNIT);
    Unwritten(Unit) -> Unit: operation("Unwritten", "GET", "/tiny/unwritten", Shape::UNIT, Shape::UNIT);
    Wait(Unit) -> Unit: operation("Wait", "GET", "/tiny/wait", Shape::UNIT, Shape::UNIT);
    Who(Unit) -> WhoOutput: operation("Who", "GET", "/tiny/who", Shape::UNIT, &WHO);
}
operations! { FORMS = Service { name: "forms", api_version: "2020-01-01", protocol: Protocol::Query, ..MODEL };
    FormsWho(Unit) -> WhoOutput: Operation { result_wrapper: "WhoResult", ..operation("Who", "POST", "/", Shape::UNIT, &WHO) };
}
operations! { BOXES = Service { name: "boxes", target_prefix: "Boxes_2020", protocol: Protocol::AwsJson { version: "1.1" }, ..MODEL };
    BoxesWho(Unit) -> WhoOutput: operation("Who", "POST", "/", Shape::UNIT, &WHO);
}

/// Holds `Wait` until it is told to go on.
#[derive(Clone, Default)]
pub(super) struct Tiny {
    pub(super) arrived: Arc<Notify>,
    pub(super) go: Arc<Notify>,
}

async fn echo(_: Tiny, _: Context, input: EchoBody) -> Result<EchoBody, Error> {
    Ok(input)
}

async fn panic(_: Tiny, _: Context, _: Unit) -> Result<Unit, Error> {
    panic!("as asked")
}

async fn wait(tiny: Tiny, _: Context, _: Unit) -> Result<Unit, Error> {
    tiny.arrived.notify_one();
    tiny.go.notified().await;
    Ok(Unit {})
}

async fn who(_: Tiny, cx: Context, _: Unit) -> Result<WhoOutput, Error> {
    Ok(WhoOutput {
        arn: Some(cx.scope.arn("tiny", "x")),
        principal: Some(format!("{:?} with {:?}", cx.principal, cx.access_key_id)),
        request_id: Some(cx.request_id.to_string()),
    })
}

/// A gateway with the three services.
pub(super) fn builder(tiny: &Tiny) -> Builder {
    let service = crate::Service::new(&TINY, tiny.clone())
        .on::<Echo>(echo)
        .on::<Panic>(panic)
        .on::<Wait>(wait)
        .on::<Who>(who)
        .build();
    let forms = crate::Service::new(&FORMS, tiny.clone()).on::<FormsWho>(who).build();
    let boxes = crate::Service::new(&BOXES, tiny.clone()).on::<BoxesWho>(who).build();
    Gateway::builder().service(service).service(forms).service(boxes).hostname("hearth.example")
}

/// A gateway that listens.
pub(super) struct Front {
    pub(super) address: SocketAddr,
    pub(super) gateway: Gateway,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) served: JoinHandle<()>,
}

impl Front {
    pub(super) async fn new(builder: Builder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let gateway = builder.build();
        let serving = gateway.clone();
        let served = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            serving.serve(listener, stopped).await;
        });
        Self { address, gateway, stop, served }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes and reads to the end of the connection.
    pub(super) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        rest(&mut stream).await
    }

    /// Sends one request with a `Host`, asking for the connection to end; header lines end in `\r\n`.
    pub(super) async fn ask(&self, line: &str, headers: &str, body: &str) -> String {
        let host = if headers.to_ascii_lowercase().lines().any(|line| line.starts_with("host:")) {
            ""
        } else {
            "Host: localhost\r\n"
        };
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{line} HTTP/1.1\r\n{host}Connection: close\r\n{headers}{length}\r\n{body}");
        self.raw(request.as_bytes()).await
    }
}

pub(super) async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Status and body, without what differs from one answer to the next.
pub(super) fn gist(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    format!("{} {body}", head.get(9..12).unwrap_or("???"))
}
