//! Calls a service as the gateway would, and shows what comes back.

use std::fmt::Write as _;

use bytes::Bytes;
use domain::{Account, Principal, Scope};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use uuid::Uuid;
use wire::{Body, Context, Request, Response, Service};

pub fn context() -> Context {
    Context {
        request_id: Uuid::nil(),
        scope: Scope::default(),
        principal: Principal::Root(Account::default()),
        access_key_id: None,
        base_url: "http://localhost:4566".into(),
        headers: HeaderMap::new(),
        source_ip: [127, 0, 0, 1].into(),
    }
}

/// A request in the making.
pub struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Bytes,
}

impl<'a> Call<'a> {
    pub fn post(path: &'a str, body: impl Into<Vec<u8>>) -> Self {
        Self { method: Method::POST, path, headers: &[], body: body.into().into() }
    }

    pub fn get(path: &'a str) -> Self {
        Self { method: Method::GET, ..Self::post(path, "") }
    }

    pub fn with(mut self, headers: &'a [(&'a str, &'a str)]) -> Self {
        self.headers = headers;
        self
    }

    pub async fn send(self, service: &Service) -> Response {
        let headers: HeaderMap = self
            .headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let (path, query) = self.path.split_once('?').unwrap_or((self.path, ""));
        match service.route(&self.method, path, query, &headers, &self.body) {
            Ok((operation, labels)) => {
                let request =
                    Request { operation, labels, query: query.to_owned(), headers, body: self.body };
                service.handle(context(), request).await
            }
            Err(error) => service.refuse(&context(), &error),
        }
    }

    /// The answer: status, headers but the constant ones, body.
    pub async fn show(self, service: &Service) -> String {
        let response = self.send(service).await;
        let mut text = response.status.as_str().to_owned();
        assert_eq!(response.headers["x-amzn-requestid"], Uuid::nil().to_string());
        for (name, value) in &response.headers {
            if name != "x-amzn-requestid" {
                write!(text, "\n{name}: {}", value.to_str().unwrap()).unwrap();
            }
        }
        write!(text, "\n{}", body(&response)).unwrap();
        text
    }
}

pub fn body(response: &Response) -> String {
    match &response.body {
        Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        _ => panic!("the answer is a stream"),
    }
}
