//! The one table from an error's code to the statuses of every protocol, and the shapes in which
//! each of them writes an error.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::StatusCode;
use prost::Message;
use serde_json::{Map, Value, json};
use tonic::Code as Grpc;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::error::{self, Code, Error};

/// What a code is called and which HTTP status it has, protocol by protocol.
pub struct Statuses {
    pub grpc: Grpc,
    /// Connect's name for it; Twirp has the same names but for a few.
    pub connect: (&'static str, u16),
    pub twirp: (&'static str, u16),
    pub rest: u16,
}

const fn statuses(
    grpc: Grpc,
    connect: (&'static str, u16),
    twirp: (&'static str, u16),
    rest: u16,
) -> Statuses {
    Statuses { grpc, connect, twirp, rest }
}

#[rustfmt::skip]
pub const fn statuses_of(code: Code) -> Statuses {
    match code {
        Code::InvalidArgument => statuses(Grpc::InvalidArgument,
            ("invalid_argument", 400), ("invalid_argument", 400), 422),
        Code::Malformed => statuses(Grpc::InvalidArgument,
            ("invalid_argument", 400), ("malformed", 400), 400),
        Code::TooLarge => statuses(Grpc::ResourceExhausted,
            ("resource_exhausted", 429), ("resource_exhausted", 429), 413),
        Code::Unauthenticated => statuses(Grpc::Unauthenticated,
            ("unauthenticated", 401), ("unauthenticated", 401), 401),
        // REST answers 403 to a key that nobody knows: what Liveblocks does and its SDKs expect.
        Code::BadCredential => statuses(Grpc::Unauthenticated,
            ("unauthenticated", 401), ("unauthenticated", 401), 403),
        Code::PermissionDenied => statuses(Grpc::PermissionDenied,
            ("permission_denied", 403), ("permission_denied", 403), 403),
        Code::NotFound => statuses(Grpc::NotFound,
            ("not_found", 404), ("not_found", 404), 404),
        Code::AlreadyExists => statuses(Grpc::AlreadyExists,
            ("already_exists", 409), ("already_exists", 409), 409),
        Code::FailedPrecondition => statuses(Grpc::FailedPrecondition,
            ("failed_precondition", 400), ("failed_precondition", 412), 422),
        Code::Aborted => statuses(Grpc::Aborted,
            ("aborted", 409), ("aborted", 409), 409),
        Code::ResourceExhausted => statuses(Grpc::ResourceExhausted,
            ("resource_exhausted", 429), ("resource_exhausted", 429), 429),
        Code::DeadlineExceeded => statuses(Grpc::DeadlineExceeded,
            ("deadline_exceeded", 504), ("deadline_exceeded", 408), 504),
        Code::Canceled => statuses(Grpc::Cancelled,
            ("canceled", 499), ("canceled", 408), 499),
        Code::Unimplemented => statuses(Grpc::Unimplemented,
            ("unimplemented", 501), ("unimplemented", 501), 501),
        Code::Internal => statuses(Grpc::Internal,
            ("internal", 500), ("internal", 500), 500),
        Code::Unavailable => statuses(Grpc::Unavailable,
            ("unavailable", 503), ("unavailable", 503), 503),
        Code::DataLoss => statuses(Grpc::DataLoss,
            ("data_loss", 500), ("data_loss", 500), 500),
    }
}

/// An error in the form of one protocol.
#[derive(Debug)]
pub struct Rendered {
    pub status: StatusCode,
    pub body: Bytes,
}

pub(super) fn rendered(status: u16, body: &Value) -> Rendered {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Rendered { status, body: body.to_string().into() }
}

/// The public text. Of a bug the caller learns the id under which the log has the cause.
pub(super) fn message(error: &Error, request_id: &str) -> String {
    match error.code() {
        Code::Internal | Code::DataLoss => format!("{} (request {request_id})", error.public()),
        _ => error.public().to_owned(),
    }
}

/// `google.rpc.ErrorInfo` with the reason, and `BadRequest` with the fields.
pub fn grpc(error: &Error, request_id: &str) -> tonic::Status {
    let info = [("request_id".to_owned(), request_id.to_owned())];
    let mut details = ErrorDetails::with_error_info(error.reason(), "roomd", info);
    if !error.fields().is_empty() {
        let violation =
            |found: &error::FieldViolation| FieldViolation::new(&found.field, &found.problem);
        details.set_bad_request(error.fields().iter().map(violation).collect::<Vec<_>>());
    }
    let code = statuses_of(error.code()).grpc;
    tonic::Status::with_error_details(code, message(error, request_id), details)
}

pub fn connect(error: &Error, request_id: &str) -> Rendered {
    let (name, status) = statuses_of(error.code()).connect;
    rendered(status, &connect_body(name, &grpc(error, request_id)))
}

/// Connect's error object from a gRPC status: also the end of its streams.
pub fn connect_body(name: &str, status: &tonic::Status) -> Value {
    let details = tonic_types::pb::Status::decode(status.details()).unwrap_or_default().details;
    let details: Vec<Value> = details
        .iter()
        .map(|any| {
            let kind = any.type_url.rsplit('/').next().unwrap_or_default();
            json!({"type": kind, "value": STANDARD_NO_PAD.encode(&any.value)})
        })
        .collect();
    json!({"code": name, "message": status.message(), "details": details})
}

/// Extras go into `meta`: reference clients refuse unknown keys in the error itself.
pub fn twirp(error: &Error, request_id: &str) -> Rendered {
    let (name, status) = statuses_of(error.code()).twirp;
    let mut meta = Map::new();
    meta.insert("reason".to_owned(), error.reason().into());
    meta.insert("request_id".to_owned(), request_id.into());
    if let Some(first) = error.fields().first() {
        meta.insert("argument".to_owned(), first.field.clone().into());
    }
    twirp_error(status, name, &message(error, request_id), meta)
}

/// With the keys in the order of the reference implementation.
pub fn twirp_error(status: u16, code: &str, msg: &str, meta: Map<String, Value>) -> Rendered {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut body = format!("{{\"code\":{},\"msg\":{}", quoted(code), quoted(msg));
    if !meta.is_empty() {
        body = format!("{body},\"meta\":{}", Value::Object(meta));
    }
    body.push('}');
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Rendered { status, body: body.into() }
}

pub fn rest(error: &Error, request_id: &str) -> Rendered {
    let mut body = Map::new();
    body.insert("error".to_owned(), error.reason().into());
    body.insert("message".to_owned(), message(error, request_id).into());
    if let Some(suggestion) = error.suggestion() {
        body.insert("suggestion".to_owned(), suggestion.into());
    }
    rendered(statuses_of(error.code()).rest, &Value::Object(body))
}

/// The name of a gRPC code in Connect's errors and in metrics.
pub fn name_of(code: Grpc) -> &'static str {
    match code {
        Grpc::Ok => "ok",
        Grpc::Cancelled => "canceled",
        Grpc::Unknown => "unknown",
        Grpc::InvalidArgument => "invalid_argument",
        Grpc::DeadlineExceeded => "deadline_exceeded",
        Grpc::NotFound => "not_found",
        Grpc::AlreadyExists => "already_exists",
        Grpc::PermissionDenied => "permission_denied",
        Grpc::ResourceExhausted => "resource_exhausted",
        Grpc::FailedPrecondition => "failed_precondition",
        Grpc::Aborted => "aborted",
        Grpc::OutOfRange => "out_of_range",
        Grpc::Unimplemented => "unimplemented",
        Grpc::Internal => "internal",
        Grpc::Unavailable => "unavailable",
        Grpc::DataLoss => "data_loss",
        Grpc::Unauthenticated => "unauthenticated",
    }
}
