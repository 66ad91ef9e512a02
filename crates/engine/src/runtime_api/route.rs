//! Which call a request is, by method and path.

use http::Method;
use uuid::Uuid;

use crate::extensions;

/// A call of the Runtime API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Next,
    /// The id as far as it is one: any other text names no invocation.
    Response(Option<Uuid>),
    Error(Option<Uuid>),
    InitError,
    /// With SnapStart: the runtime can be set aside.
    RestoreNext,
    /// With SnapStart: it could not be restored.
    RestoreError,
    /// With SnapStart: the role's credentials.
    Credentials,
    Ping,
    /// A call of an extension.
    Extension(extensions::Route),
    WrongMethod,
    Unknown,
}

impl Route {
    pub(super) fn of(method: &Method, path: &str) -> Self {
        if path == "/ping" {
            return Self::only(method, &Method::GET, Self::Ping);
        }
        if path == "/2021-04-23/credentials" {
            return Self::only(method, &Method::GET, Self::Credentials);
        }
        let Some(rest) = path.strip_prefix("/2018-06-01/") else {
            return match extensions::Route::of(path) {
                Some((route, allowed)) => Self::only(method, &allowed, Self::Extension(route)),
                None => Self::Unknown,
            };
        };
        match rest {
            "runtime/invocation/next" => return Self::only(method, &Method::GET, Self::Next),
            "runtime/init/error" => return Self::only(method, &Method::POST, Self::InitError),
            "runtime/restore/next" => return Self::only(method, &Method::GET, Self::RestoreNext),
            "runtime/restore/error" => return Self::only(method, &Method::POST, Self::RestoreError),
            "ping" => return Self::only(method, &Method::GET, Self::Ping),
            _ => {}
        }
        let Some(rest) = rest.strip_prefix("runtime/invocation/") else { return Self::Unknown };
        match rest.split_once('/') {
            Some((id, "response")) => {
                Self::only(method, &Method::POST, Self::Response(Uuid::parse_str(id).ok()))
            }
            Some((id, "error")) => Self::only(method, &Method::POST, Self::Error(Uuid::parse_str(id).ok())),
            _ => Self::Unknown,
        }
    }

    /// Whether what the runtime sends along is read.
    pub(super) fn has_body(self) -> bool {
        match self {
            Self::Extension(route) => route != extensions::Route::Next,
            _ => matches!(self, Self::Response(_) | Self::Error(_) | Self::InitError | Self::RestoreError),
        }
    }

    fn only(method: &Method, expected: &Method, route: Self) -> Self {
        if method == expected { route } else { Self::WrongMethod }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, path: &str, expected: Route) {
        assert_eq!(Route::of(method, path), expected, "{method} {path}");
    }

    #[test]
    fn each_call_has_one_method_and_path() {
        let id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
        let parsed = Uuid::parse_str(id).ok();
        let at = |suffix: &str| format!("/2018-06-01/runtime/invocation/{id}/{suffix}");
        check(&Method::GET, "/2018-06-01/runtime/invocation/next", Route::Next);
        check(&Method::POST, "/2018-06-01/runtime/invocation/next", Route::WrongMethod);
        check(&Method::POST, &at("response"), Route::Response(parsed));
        check(&Method::POST, &at("error"), Route::Error(parsed));
        check(&Method::GET, &at("error"), Route::WrongMethod);
        check(&Method::POST, "/2018-06-01/runtime/invocation/next/response", Route::Response(None));
        check(&Method::POST, "/2018-06-01/runtime/init/error", Route::InitError);
        check(&Method::GET, "/2018-06-01/runtime/restore/next", Route::RestoreNext);
        check(&Method::POST, "/2018-06-01/runtime/restore/error", Route::RestoreError);
        check(&Method::GET, "/2021-04-23/credentials", Route::Credentials);
        check(&Method::GET, "/2018-06-01/ping", Route::Ping);
        for unknown in
            ["/", "", "/2018-06-01", "/2018-06-01/runtime/invocation/", "/2020-01-01/extension/unregister"]
        {
            check(&Method::GET, unknown, Route::Unknown);
        }
        check(&Method::GET, "/2020-01-01/extension/register", Route::WrongMethod);
        check(&Method::POST, &at("response/x"), Route::Unknown);
    }
}
