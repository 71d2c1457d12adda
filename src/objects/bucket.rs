//! A bucket, opened as the AWS_* variables say, and what a store has to say of a failure, on one line.

use std::error::Error as _;

use http::Uri;
use http::uri::Scheme;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{ClientConfigKey, RetryConfig};

/// The first that is set holds, which is the order of the crate.
const ENDPOINTS: [(AmazonS3ConfigKey, &str); 2] = [
    (AmazonS3ConfigKey::S3Endpoint, "AWS_ENDPOINT_URL_S3"),
    (AmazonS3ConfigKey::Endpoint, "AWS_ENDPOINT"),
];
const ALLOW_HTTP: AmazonS3ConfigKey = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
/// A server may answer anything; a line of a log should stay one.
const TOLD_CHARS_MAX: usize = 600;

/// The error is for the operator.
pub(super) fn open(name: &str, retry: RetryConfig) -> Result<AmazonS3, String> {
    open_with(AmazonS3Builder::from_env(), name, retry)
}

fn open_with(builder: AmazonS3Builder, name: &str, retry: RetryConfig) -> Result<AmazonS3, String> {
    let allows_http = builder.get_config_value(&ALLOW_HTTP).is_some_and(|value| value != "false");
    let mut endpoints = ENDPOINTS.iter();
    let set = endpoints.find_map(|(key, name)| Some((builder.get_config_value(key)?, name)));
    if let Some((endpoint, name)) = set {
        check_endpoint(&endpoint, allows_http).map_err(|problem| format!("{name} {problem}"))?;
    }
    let builder = builder.with_bucket_name(name).with_retry(retry);
    builder.build().map_err(|error| told(&error))
}

/// The crate would panic over an address without a scheme, and say little about one with HTTP.
fn check_endpoint(endpoint: &str, allows_http: bool) -> Result<(), String> {
    let uri = endpoint.parse::<Uri>().ok().filter(|uri| uri.host().is_some());
    match uri.as_ref().and_then(Uri::scheme) {
        Some(scheme) if *scheme == Scheme::HTTPS => Ok(()),
        Some(scheme) if *scheme == Scheme::HTTP && allows_http => Ok(()),
        Some(scheme) if *scheme == Scheme::HTTP => Err(format!(
            "is '{endpoint}': files would travel unencrypted, which needs AWS_ALLOW_HTTP=true"
        )),
        _ => Err(format!("must be an address such as https://s3.example.com, got '{endpoint}'")),
    }
}

/// The crate's text holds most of its causes already, but neither the last one of a connection that
/// failed nor an answer of the server that is fit to read.
pub(super) fn told(error: &object_store::Error) -> String {
    let mut text = without_markup(&error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        source = cause.source();
        let last = cause.to_string();
        if source.is_none() && !last.contains('<') && !text.contains(&last) {
            text = format!("{text}: {last}");
        }
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TOLD_CHARS_MAX).collect()
}

/// Of XML, the error's code and message; of other markup, nothing.
fn without_markup(text: &str) -> String {
    let Some((before, markup)) = text.split_once('<') else { return text.to_owned() };
    let of = |tag: &str| {
        let (_, rest) = markup.split_once(&format!("<{tag}>"))?;
        rest.split_once('<').map(|(content, _)| content)
    };
    let said: Vec<&str> = ["Code", "Message"].into_iter().filter_map(of).collect();
    format!("{before}{}", said.join(": ")).trim_end_matches([':', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address() {
        for good in ["https://s3.example.com", "https://[::1]:9000/", "HTTPS://minio"] {
            assert_eq!(check_endpoint(good, false), Ok(()), "{good}");
        }
        assert_eq!(check_endpoint("http://127.0.0.1:9000", true), Ok(()));
        let plain = check_endpoint("http://127.0.0.1:9000", false).unwrap_err();
        assert!(plain.contains("AWS_ALLOW_HTTP=true"), "{plain}");
        for wrong in ["", "minio", "minio:9000", "127.0.0.1:9000", "ftp://minio", "http://", "a b"]
        {
            let problem = check_endpoint(wrong, true).unwrap_err();
            assert!(problem.contains("https://s3.example.com"), "{wrong}: {problem}");
        }
    }

    #[test]
    fn the_endpoint_that_holds_is_checked() {
        let set = |endpoints: &[(AmazonS3ConfigKey, &str)]| {
            let new = AmazonS3Builder::new().with_access_key_id("a").with_secret_access_key("b");
            let fold = |all: AmazonS3Builder, (key, value): &(AmazonS3ConfigKey, &str)| {
                all.with_config(*key, *value)
            };
            let builder = endpoints.iter().fold(new, fold);
            open_with(builder, "files", RetryConfig::default()).map(drop)
        };
        let [(s3, _), (any, _)] = ENDPOINTS;
        assert_eq!(set(&[]), Ok(()));
        assert_eq!(set(&[(s3, "https://minio"), (any, "minio")]), Ok(()));
        assert!(set(&[(s3, "minio")]).unwrap_err().starts_with("AWS_ENDPOINT_URL_S3 must be"));
        assert!(set(&[(any, "minio")]).unwrap_err().starts_with("AWS_ENDPOINT must be"));
        assert!(set(&[(any, "http://minio")]).unwrap_err().contains("AWS_ALLOW_HTTP"));
        assert_eq!(set(&[(any, "http://minio"), (ALLOW_HTTP, "true")]), Ok(()));
    }

    #[test]
    fn what_a_server_said_is_one_short_line() {
        let xml = "403 Forbidden: <?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code>\
            <Message>Access Denied</Message><RequestId>x</RequestId></Error>";
        assert_eq!(without_markup(xml), "403 Forbidden: AccessDenied: Access Denied");
        let page = "502 Bad Gateway: <html><body>nginx</body></html>";
        assert_eq!(without_markup(page), "502 Bad Gateway");
        assert_eq!(without_markup("no markup: "), "no markup: ");
        let refused = std::io::Error::other(std::io::Error::other("connection refused"));
        let long = object_store::Error::Generic { store: "S3", source: Box::new(refused) };
        assert_eq!(told(&long), "Generic S3 error: connection refused");
        let source = "line\n".repeat(1_000).into();
        let long = object_store::Error::Generic { store: "S3", source };
        assert_eq!(told(&long).chars().count(), TOLD_CHARS_MAX);
        assert!(!told(&long).contains('\n'));
    }
}
