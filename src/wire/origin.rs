//! By which address a caller reached the server.

use std::sync::Arc;

use http::header::{HOST, HeaderName};
use http::request::Parts;
use http::uri::Scheme;

/// What a proxy in front of us says about the connection to it.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The length of a name in the DNS, and a port.
const AUTHORITY_BYTES_MAX: usize = 253 + 6;

/// `None` if the caller did not say, or said what is no address. `serves_tls` tells how the listener
/// is reached, for whoever does not say.
pub fn of(head: &Parts, serves_tls: bool) -> Option<Arc<str>> {
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let host = header(FORWARDED_HOST)
        .or_else(|| head.uri.authority().map(|authority| authority.as_str()))
        .or_else(|| header(HOST))?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if host.is_empty() || host.len() > AUTHORITY_BYTES_MAX || !host.bytes().all(is_name) {
        return None;
    }
    let encrypted = match header(FORWARDED_PROTO) {
        Some(scheme) => scheme.eq_ignore_ascii_case("https"),
        None => serves_tls || head.uri.scheme() == Some(&Scheme::HTTPS),
    };
    let scheme = if encrypted { "https" } else { "http" };
    Some(format!("{scheme}://{host}").into())
}

#[cfg(test)]
mod tests {
    fn origin(uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        let mut request = http::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        super::of(&head, false).map(|origin| origin.to_string())
    }

    #[test]
    fn the_address_is_the_one_that_the_caller_used() {
        let of = |uri, headers: &[_]| origin(uri, headers).unwrap_or_default();
        assert_eq!(of("/x", &[("host", "localhost:1990")]), "http://localhost:1990");
        assert_eq!(of("https://rooms.example.com/x", &[]), "https://rooms.example.com");
        let proxied = [("host", "inner"), ("x-forwarded-proto", "https")];
        assert_eq!(of("/x", &proxied), "https://inner");
        assert_eq!(of("/x", &[("host", "a"), ("x-forwarded-host", "b")]), "http://b");
        assert_eq!(of("/x", &[]), "");
        assert_eq!(of("/x", &[("host", "a/b?c")]), "");
    }
}
