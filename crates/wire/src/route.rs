//! Finds the operation that a request is for.

use std::collections::HashMap;

use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use crate::Error;
use crate::schema::{Operation, Protocol, Service};

/// The parts of a path that an operation's URI names, percent-decoded once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<(&'static str, String)>);

impl Labels {
    /// Reads a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// Knows the way to each operation of a service.
pub(crate) struct Router {
    service: &'static Service,
    /// The REST protocols' ways. Empty for the others.
    routes: Vec<Route>,
    /// The others' operations.
    names: HashMap<&'static str, &'static Operation>,
}

impl Router {
    pub(crate) fn new(service: &'static Service) -> Self {
        let mut routes: Vec<_> = match service.protocol {
            Protocol::RestJson => service.operations.iter().map(Route::new).collect(),
            Protocol::AwsJson { .. } | Protocol::Query => Vec::new(),
        };
        routes.sort_by_key(Route::generality);
        let names = service.operations.iter().map(|operation| (operation.name, operation)).collect();
        Self { service, routes, names }
    }

    pub(crate) fn route(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(&'static Operation, Labels), Error> {
        match self.service.spoken(headers) {
            Protocol::RestJson => self.by_path(method, path, query),
            Protocol::AwsJson { .. } => self.by_target(headers),
            Protocol::Query => self.by_action(path, query, body),
        }
    }

    fn by_path(
        &self,
        method: &Method,
        path: &str,
        query: &str,
    ) -> Result<(&'static Operation, Labels), Error> {
        // Clients of earlier models send a slash at the end: `/2015-03-31/functions/`.
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let found = self
            .routes
            .iter()
            .filter(|route| route.method == method.as_str() && route.query_fits(query))
            .find_map(|route| Some((route.operation, route.labels(&segments)?)));
        let (operation, labels) = found.ok_or_else(|| unknown(format!("{method} {path}"), self.service))?;
        Ok((operation, decode(labels)?))
    }

    fn by_target(&self, headers: &HeaderMap) -> Result<(&'static Operation, Labels), Error> {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let name = target.strip_prefix(self.service.target_prefix).and_then(|rest| rest.strip_prefix('.'));
        name.and_then(|name| self.names.get(name))
            .map(|operation| (*operation, Labels::default()))
            .ok_or_else(|| unknown(format!("X-Amz-Target {target:?}"), self.service))
    }

    fn by_action(&self, path: &str, query: &str, body: &[u8]) -> Result<(&'static Operation, Labels), Error> {
        let form = if body.is_empty() { query.as_bytes() } else { body };
        let field = |name: &str| {
            let pairs = form.split(|byte| *byte == b'&');
            let value = pairs
                .filter_map(|pair| pair.strip_prefix(name.as_bytes()))
                .find_map(|rest| rest.strip_prefix(b"="));
            value.map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let Some(action) = field("Action") else {
            // The text that AWS's query services answer with.
            return Err(Error::new("MissingAction", "One or more required parameters are missing: Action"));
        };
        let version = field("Version").unwrap_or_default();
        match self.names.get(action.as_str()) {
            Some(operation) if version.is_empty() || version == self.service.api_version => {
                Ok((operation, self.address(path)))
            }
            _ => Err(Error::new(
                "InvalidAction",
                format!(
                    "Could not find operation {action} for version {}",
                    version_or(&version, self.service)
                ),
            )),
        }
    }
}

impl Router {
    /// The resource that a form was sent to.
    fn address(&self, path: &str) -> Labels {
        let member = self.service.also_query.map(|query| query.endpoint_member).unwrap_or_default();
        let named = !member.is_empty() && path.len() > 1;
        Labels(if named { vec![(member, path.to_owned())] } else { Vec::new() })
    }
}

fn version_or<'a>(version: &'a str, service: &Service) -> &'a str {
    if version.is_empty() { service.api_version } else { version }
}

/// There is no such operation in the model.
fn unknown(asked: String, service: &Service) -> Error {
    Error::new("UnknownOperationException", format!("{} has no operation for {asked}.", service.full_name))
}

fn decode(labels: Vec<(&'static str, String)>) -> Result<Labels, Error> {
    let decoded = labels.into_iter().map(|(name, raw)| {
        let value = percent_decode_str(&raw).decode_utf8();
        let value =
            value.map_err(|_| Error::new("SerializationException", format!("{name} is not UTF-8.")))?;
        Ok((name, value.into_owned()))
    });
    decoded.collect::<Result<_, _>>().map(Labels)
}

/// The way to one operation of a REST protocol.
struct Route {
    operation: &'static Operation,
    method: &'static str,
    segments: Vec<Segment>,
    /// What the query must have, from a URI such as `/bucket?acl`.
    query: Vec<&'static str>,
}

enum Segment {
    Literal(&'static str),
    Label(&'static str),
    /// One or more segments, slashes and all.
    Greedy(&'static str),
}

impl Route {
    fn new(operation: &'static Operation) -> Self {
        let (path, query) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
        let segments = path.strip_prefix('/').unwrap_or(path).split('/').map(Segment::new).collect();
        let query = query.split('&').filter(|part| !part.is_empty()).collect();
        Self { operation, method: operation.method, segments, query }
    }

    /// Routes are tried from the most particular to the most general, literals before labels from the left.
    fn generality(&self) -> (Vec<u8>, usize) {
        let ranks = self.segments.iter().map(|segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Label(_) => 1,
            Segment::Greedy(_) => 2,
        });
        (ranks.collect(), usize::MAX - self.query.len())
    }

    fn query_fits(&self, query: &str) -> bool {
        self.query.iter().all(|wanted| {
            query.split('&').any(|part| part == *wanted || part.strip_suffix('=') == Some(wanted))
        })
    }

    /// What the labels stand for, still percent-encoded, if the path is this route's.
    fn labels(&self, path: &[&str]) -> Option<Vec<(&'static str, String)>> {
        let mut labels = Vec::new();
        let mut rest = path;
        for (at, segment) in self.segments.iter().enumerate() {
            let (first, others) = rest.split_first()?;
            rest = others;
            match segment {
                Segment::Literal(literal) if first == literal => {}
                Segment::Literal(_) => return None,
                Segment::Label(_) if first.is_empty() => return None,
                Segment::Label(name) => labels.push((*name, (*first).to_owned())),
                Segment::Greedy(name) => {
                    let after = self.segments.len() - at - 1;
                    let extra = rest.len().checked_sub(after)?;
                    let mut value = (*first).to_owned();
                    for part in &rest[..extra] {
                        value.push('/');
                        value.push_str(part);
                    }
                    if value.is_empty() {
                        return None;
                    }
                    labels.push((*name, value));
                    rest = &rest[extra..];
                }
            }
        }
        rest.is_empty().then_some(labels)
    }
}

impl Segment {
    fn new(text: &'static str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(label) => label.strip_suffix('+').map_or(Self::Label(label), Self::Greedy),
            None => Self::Literal(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Shape;

    fn check(uri: &'static str, path: &str, expected: Option<&[(&str, &str)]>) {
        let operation: &'static Operation = Box::leak(Box::new(Operation {
            name: "Get",
            method: "GET",
            uri,
            status: 200,
            input: Shape::UNIT,
            output: Shape::UNIT,
            result_wrapper: "",
            errors: &[],
        }));
        let segments: Vec<&str> = path.strip_prefix('/').unwrap().split('/').collect();
        let labels = Route::new(operation).labels(&segments);
        let labels: Option<Vec<_>> = labels
            .as_ref()
            .map(|labels| labels.iter().map(|(name, value)| (*name, value.as_str())).collect());
        assert_eq!(labels.as_deref(), expected, "{uri} {path}");
    }

    #[test]
    fn labels_stand_for_segments() {
        check("/a/{Name}", "/a/x", Some(&[("Name", "x")]));
        check("/a/{Name}/b", "/a/x/b", Some(&[("Name", "x")]));
        check("/a/{Name}", "/a/x/b", None);
        check("/a/{Name}", "/a/", None);
        check("/a/{Name}", "/a", None);
    }

    #[test]
    fn greedy_labels_stand_for_many() {
        check("/{Bucket}/{Key+}", "/b/x/y", Some(&[("Bucket", "b"), ("Key", "x/y")]));
        check("/{Key+}/end", "/x/y/end", Some(&[("Key", "x/y")]));
        check("/{Key+}/end", "/end", None);
        check("/{Bucket}/{Key+}", "/b", None);
    }

    #[test]
    fn labels_must_be_utf8() {
        assert!(decode(vec![("Name", "%ff".to_owned())]).is_err());
        assert_eq!(decode(vec![("Name", "a%2525".to_owned())]).unwrap().get("Name"), Some("a%25"));
    }
}
