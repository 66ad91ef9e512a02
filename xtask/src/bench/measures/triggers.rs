//! From a cause to its function: an object is put, a message or an event is sent, and a function that is warm runs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::Session;
use crate::bench::aws::{self, EVENTS, SQS};
use crate::bench::function::{Api, Kind};
use crate::bench::heard::Heard;
use crate::bench::http::Connection;
use crate::bench::process::{Process, pause};
use crate::bench::spread::Spread;

/// Causes of each kind, one after the other, and how long they may take together.
const CAUSES: usize = 300;
const SPAN: Duration = Duration::from_secs(5);
/// Messages that wait in a queue when its mapping is made.
const MESSAGES: usize = 4_000;
/// How many of them a function gets at a time, and a request of SQS brings.
const BATCH: usize = 10;
/// However slow: a peer is left after so long, with what it did.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between looks how many messages are left.
const LOOK: Duration = Duration::from_millis(10);
const ACCOUNT: &str = "000000000000";
const TELLS: &str = "tells";

pub fn triggers(session: &mut Session<'_>) -> anyhow::Result<()> {
    let data = std::env::temp_dir().join(format!("hearth-bench-{}", std::process::id()));
    let heard = Heard::open()?;
    let server = Process::start_with(session.binary, |command| {
        command.arg("--data-dir").arg(&data).arg("--allow-host").arg(format!("127.0.0.1:{}", heard.port()));
    })?;
    let tells = Kind::python(session.root, "tells.py", "tells.handler")?
        .calling("host.docker.internal", heard.port());
    let gives_back = Kind::python(session.root, "lambda_function.py", "lambda_function.handler")?;
    for (row, measured) in measure(server.address(), &heard, &tells, &gives_back)? {
        match measured {
            Measured::Starts(times) => session.report.spread(&format!("{row}, durable"), &times),
            Measured::Rate { count, per_second } => {
                session.report.rate(&format!("{row}, durable"), count, per_second);
            }
        }
    }
    server.stop()?;
    std::fs::remove_dir_all(&data).with_context(|| format!("remove {}", data.display()))
}

/// What a figure is.
pub enum Measured {
    Starts(Spread),
    Rate { count: usize, per_second: f64 },
}

impl Measured {
    /// Of what took time.
    pub fn median(&self) -> Option<Duration> {
        match self {
            Self::Starts(times) => Some(times.percentile(50)),
            Self::Rate { .. } => None,
        }
    }
}

/// All figures of a server: a function that calls when it runs, and one that does nothing.
pub fn measure(
    address: SocketAddr,
    heard: &Heard,
    tells: &Kind,
    gives_back: &Kind,
) -> anyhow::Result<Vec<(&'static str, Measured)>> {
    let mut api = Api::connect(address)?;
    api.create_role()?;
    api.create(TELLS, tells)?;
    let mut server = Server { address, connection: Connection::open(address)? };
    let put = server.bucket()?;
    let puts = heard.after_each(CAUSES, SPAN, || server.send(&put)).context("S3")?;
    server.unsubscribe_bucket()?;
    let event = server.rule()?;
    let events = heard.after_each(CAUSES, SPAN, || server.send(&event)).context("EventBridge")?;
    let message = server.mapped_queue()?;
    let messages = heard.after_each(CAUSES, SPAN, || server.send(&message)).context("SQS")?;
    api.create("drains", gives_back)?;
    let (count, per_second) = server.drain()?;
    Ok(vec![
        ("S3 put → function", Measured::Starts(puts)),
        ("PutEvents → function", Measured::Starts(events)),
        ("SQS send → function, by a mapping", Measured::Starts(messages)),
        ("SQS messages through a function, 10 at a time", Measured::Rate { count, per_second }),
    ])
}

struct Server {
    address: SocketAddr,
    connection: Connection,
}

impl Server {
    fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        aws::send(&mut self.connection, request).map(drop)
    }

    fn json(&mut self, service: &aws::Json, operation: &str, body: &Value) -> anyhow::Result<Value> {
        aws::ask(&mut self.connection, &service.call(self.address, operation, body))
            .with_context(|| operation.to_owned())
    }

    /// Makes a bucket that tells the function; the request that puts an object.
    fn bucket(&mut self) -> anyhow::Result<Vec<u8>> {
        self.send(&aws::s3(self.address, "PUT", "/bench-triggers", b""))?;
        self.permit("s3.amazonaws.com")?;
        let configuration = format!(
            "<NotificationConfiguration><CloudFunctionConfiguration><CloudFunction>{}</CloudFunction>\
             <Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration></NotificationConfiguration>",
            function_arn(TELLS)
        );
        self.notify(&configuration)?;
        Ok(aws::s3(self.address, "PUT", "/bench-triggers/object", &[b'o'; 1024]))
    }

    fn unsubscribe_bucket(&mut self) -> anyhow::Result<()> {
        self.notify("<NotificationConfiguration/>")
    }

    fn notify(&mut self, configuration: &str) -> anyhow::Result<()> {
        let request = aws::s3(self.address, "PUT", "/bench-triggers?notification", configuration.as_bytes());
        self.send(&request).context("configure notifications")
    }

    /// Makes a rule for the function; the request that puts an event for it.
    fn rule(&mut self) -> anyhow::Result<Vec<u8>> {
        self.permit("events.amazonaws.com")?;
        self.json(
            &EVENTS,
            "PutRule",
            &json!({ "Name": "bench", "EventPattern": r#"{"source":["bench"]}"# }),
        )?;
        let target = json!({ "Id": "1", "Arn": function_arn(TELLS) });
        self.json(&EVENTS, "PutTargets", &json!({ "Rule": "bench", "Targets": [target] }))?;
        let entry = json!({ "Source": "bench", "DetailType": "t", "Detail": "{\"n\":1}" });
        Ok(EVENTS.call(self.address, "PutEvents", &json!({ "Entries": [entry] })))
    }

    /// Makes a queue with a mapping to the function; the request that sends a message.
    fn mapped_queue(&mut self) -> anyhow::Result<Vec<u8>> {
        let url = aws::create_queue(&mut self.connection, self.address, "bench-mapped")?;
        self.map("bench-mapped", TELLS)?;
        Ok(SQS.call(self.address, "SendMessage", &json!({ "QueueUrl": url, "MessageBody": "m".repeat(200) })))
    }

    fn map(&mut self, queue: &str, function: &str) -> anyhow::Result<()> {
        let mapping = json!({
            "EventSourceArn": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}"),
            "FunctionName": function,
            "BatchSize": BATCH,
        });
        let path = "/2015-03-31/event-source-mappings/";
        self.send(&aws::lambda(self.address, "POST", path, &mapping)).context("create the mapping")
    }

    /// Lets a service invoke the function.
    fn permit(&mut self, service: &str) -> anyhow::Result<()> {
        let statement = json!({
            "StatementId": service.split('.').next(),
            "Action": "lambda:InvokeFunction",
            "Principal": service,
        });
        let path = format!("/2015-03-31/functions/{TELLS}/policy");
        self.send(&aws::lambda(self.address, "POST", &path, &statement)).context("add the permission")
    }

    /// How many messages, and how many a second, a mapping takes out of a queue in which they wait.
    fn drain(&mut self) -> anyhow::Result<(usize, f64)> {
        let url = aws::create_queue(&mut self.connection, self.address, "bench-drained")?;
        let entries: Vec<_> =
            (0..BATCH).map(|id| json!({ "Id": id.to_string(), "MessageBody": "m".repeat(200) })).collect();
        let send =
            SQS.call(self.address, "SendMessageBatch", &json!({ "QueueUrl": url, "Entries": entries }));
        for _ in 0..MESSAGES / BATCH {
            self.send(&send)?;
        }
        self.map("bench-drained", "drains")?;
        // From the first look that finds some gone: how long a mapping takes to begin is another figure.
        let (mut begun, started) = (None, Instant::now());
        loop {
            let left = self.left(&url)?;
            match begun {
                None if left < MESSAGES => begun = Some((left, Instant::now())),
                Some((at_first, since)) if left == 0 || started.elapsed() > PATIENCE => {
                    let count = at_first - left;
                    return Ok((count, count as f64 / since.elapsed().as_secs_f64()));
                }
                _ => ensure!(started.elapsed() < PATIENCE, "no message was taken within {PATIENCE:?}"),
            }
            pause(LOOK);
        }
    }

    /// Messages of a queue, also those that somebody has received.
    fn left(&mut self, url: &str) -> anyhow::Result<usize> {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let answer =
            self.json(&SQS, "GetQueueAttributes", &json!({ "QueueUrl": url, "AttributeNames": names }))?;
        names
            .iter()
            .map(|name| {
                let text = answer["Attributes"][name].as_str().context("a queue counts its messages")?;
                text.parse::<usize>().context("a count")
            })
            .sum()
    }
}

fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}")
}
