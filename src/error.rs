//! The one error of the system. It knows no protocol: `wire/status.rs` holds the only table from a
//! [`Code`] to the statuses of gRPC, Connect, Twirp and REST.
//!
//! Invariant: `public` is the only text that a client can ever see. The cause is for the log.

use std::borrow::Cow;
use std::fmt;

type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What went wrong, as few kinds as callers can act upon. Add a variant only when some client would
/// act differently on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request was understood and is wrong: a field is missing, too long or contradictory.
    InvalidArgument,
    /// The body is not JSON, not protobuf, or not UTF-8: it could not be read at all.
    Malformed,
    /// A body, frame or message is over its limit.
    TooLarge,
    /// No credential, or one of a kind that this call does not take.
    Unauthenticated,
    /// A credential came and is not valid: unknown key, bad signature, expired token.
    BadCredential,
    /// The caller is known, may see the thing, and may not do this to it.
    PermissionDenied,
    /// It does not exist, or the caller may not know that it does.
    NotFound,
    /// Something with this id exists already.
    AlreadyExists,
    /// The system is not in the state that the call needs.
    FailedPrecondition,
    /// A concurrent change won; the same call may succeed when it is sent again.
    Aborted,
    /// A quota or a rate is used up.
    ResourceExhausted,
    /// The caller's deadline passed before the answer was ready.
    DeadlineExceeded,
    /// The caller went away.
    Canceled,
    /// No such method, or one that is not built yet.
    Unimplemented,
    /// A bug of ours.
    Internal,
    /// A part that we need is down; retry later.
    Unavailable,
    /// Stored data cannot be read back.
    DataLoss,
}

/// A field of the request that is wrong, named as the caller spells it in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    pub field: String,
    pub problem: String,
}

#[derive(Debug)]
struct Inner {
    code: Code,
    reason: &'static str,
    public: Cow<'static, str>,
    suggestion: Option<Cow<'static, str>>,
    fields: Vec<FieldViolation>,
    cause: Option<Cause>,
}

/// A failed call. Boxed, so that every `Result` in the tree stays one word wide.
#[derive(Debug)]
pub struct Error(Box<Inner>);

impl Error {
    /// `reason` is the machine-readable word of the public API, such as `ROOM_NOT_FOUND`.
    pub fn new(code: Code, reason: &'static str, public: impl Into<Cow<'static, str>>) -> Self {
        let public = public.into();
        Self(Box::new(Inner {
            code,
            reason,
            public,
            suggestion: None,
            fields: Vec::new(),
            cause: None,
        }))
    }

    /// A field of the request breaks a rule. The text names the field, the limit and what came.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        let (field, problem) = (field.into(), problem.into());
        let mut error = Self::new(
            Code::InvalidArgument,
            "UNPROCESSABLE_ENTITY",
            format!("Invalid value for field '{field}': {problem}"),
        )
        .suggest("Please ensure the data follows the correct format.");
        error.0.fields.push(FieldViolation { field, problem });
        error
    }

    /// An argument that is refused in the words of Twirp: `<argument> <validation>`.
    pub fn argument(argument: impl Into<String>, validation: impl Into<String>) -> Self {
        let (field, problem) = (argument.into(), validation.into());
        let public = format!("{field} {problem}");
        let mut error = Self::new(Code::InvalidArgument, "INVALID_ARGUMENT", public);
        error.0.fields.push(FieldViolation { field, problem });
        error
    }

    /// A required field did not come.
    pub fn missing(field: &str) -> Self {
        let mut error = Self::new(
            Code::InvalidArgument,
            "UNPROCESSABLE_ENTITY",
            format!("Missing key: '{field}'."),
        )
        .suggest("Please ensure the data follows the correct format.");
        let problem = "is required".to_owned();
        error.0.fields.push(FieldViolation { field: field.to_owned(), problem });
        error
    }

    pub fn malformed(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Malformed, "MALFORMED_REQUEST", public)
    }

    pub fn too_large(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::TooLarge, "PAYLOAD_TOO_LARGE", public)
    }

    pub fn not_found(reason: &'static str, public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NotFound, reason, public)
    }

    pub fn unavailable(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unavailable, "UNAVAILABLE", public)
    }

    /// A bug of ours: the client learns nothing but that, the log learns the cause.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::new(Code::Internal, "INTERNAL", "internal error").because(cause)
    }

    /// Attaches what really happened. It is logged with the request id and never sent.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Tells the caller what to do about it.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<Cow<'static, str>>) -> Self {
        self.0.suggestion = Some(suggestion.into());
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    pub fn public(&self) -> &str {
        &self.0.public
    }

    pub fn suggestion(&self) -> Option<&str> {
        self.0.suggestion.as_deref()
    }

    pub fn fields(&self) -> &[FieldViolation] {
        &self.0.fields
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.public)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|cause| cause.as_ref() as _)
    }
}

/// An error with all of its causes on one line, for the log.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
