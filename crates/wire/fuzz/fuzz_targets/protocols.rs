//! Every decoder: a request in, an answer out, through the models of real services.
#![no_main]

use bytes::Bytes;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use wire::{Context, Error, Operation, Request, Service};

#[allow(dead_code)]
#[path = "../../../../services/iam/src/shapes.rs"]
mod iam;
#[allow(dead_code)]
#[path = "../../../../services/lambda/src/shapes.rs"]
mod lambda;
#[allow(dead_code)]
#[path = "../../../../services/logs/src/shapes.rs"]
mod logs;

mod request;

/// Answers with nothing: what was decoded and found valid is not looked at.
async fn nothing<O: Operation>(_: (), _: Context, _: O::Input) -> Result<O::Output, Error> {
    Ok(O::Output::default())
}

fn services() -> [Service; 3] {
    [
        Service::new(&lambda::SERVICE, ())
            .on::<lambda::CreateFunction>(nothing::<lambda::CreateFunction>)
            .on::<lambda::Invoke>(nothing::<lambda::Invoke>)
            .on::<lambda::ListFunctions>(nothing::<lambda::ListFunctions>)
            .on::<lambda::UntagResource>(nothing::<lambda::UntagResource>)
            .build(),
        Service::new(&iam::SERVICE, ())
            .on::<iam::CreateRole>(nothing::<iam::CreateRole>)
            .on::<iam::ListPolicies>(nothing::<iam::ListPolicies>)
            .build(),
        Service::new(&logs::SERVICE, ())
            .on::<logs::PutLogEvents>(nothing::<logs::PutLogEvents>)
            .on::<logs::FilterLogEvents>(nothing::<logs::FilterLogEvents>)
            .build(),
    ]
}

fn context() -> Context {
    Context {
        request_id: Default::default(),
        scope: Default::default(),
        principal: domain::Principal::Root(Default::default()),
        access_key_id: None,
        base_url: "http://localhost:4566".into(),
        headers: HeaderMap::new(),
        source_ip: [127, 0, 0, 1].into(),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((parts, body)) = request::request(data) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    for service in services() {
        let Ok((operation, labels)) = service.route(&parts.method, path, query, &parts.headers, body) else { continue };
        let request = Request {
            operation,
            labels,
            query: query.to_owned(),
            headers: parts.headers.clone(),
            body: Bytes::copy_from_slice(body),
        };
        let answer = runtime.block_on(service.handle(context(), request));
        assert!(answer.status != 500, "{} {}", service.model().name, operation.name);
    }
});
