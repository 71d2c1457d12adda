//! What every call gets, whatever its protocol: a deadline, a net under panics, a line in the log.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;

use crate::error::{Code, Error, chain};

/// Runs a handler until its deadline. A panic in it becomes an internal error of this one call.
pub async fn guard<T>(
    deadline: Option<Instant>,
    handler: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let handler = AssertUnwindSafe(handler).catch_unwind();
    let outcome = match deadline {
        None => handler.await,
        Some(deadline) => match tokio::time::timeout_at(deadline.into(), handler).await {
            Ok(outcome) => outcome,
            Err(_) => return Err(deadline_exceeded()),
        },
    };
    outcome.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
}

pub fn deadline_exceeded() -> Error {
    Error::new(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "The deadline passed before the answer was ready.",
    )
}

/// The text of a panic is for the log alone.
pub fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Error::internal(format!("panicked: {}", text.unwrap_or_default()))
}

/// Logs what an operator must know, once, where the error leaves the program.
pub fn log(error: &Error, request_id: &str) {
    match error.code() {
        Code::Internal | Code::DataLoss => {
            tracing::error!(request.id = request_id, error = chain(error), "a call failed");
        }
        Code::Unavailable => {
            tracing::warn!(request.id = request_id, error = chain(error), "a call failed");
        }
        _ => tracing::debug!(
            request.id = request_id,
            reason = error.reason(),
            error = chain(error),
            "a call was refused"
        ),
    }
}
