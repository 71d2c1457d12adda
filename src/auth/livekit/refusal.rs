//! Why a token is refused, in the words that LiveKit's server uses: its users search for them.

use std::fmt::Display;

use crate::error::{Code, Error};

fn refusal(reason: &'static str, public: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::BadCredential, reason, public)
}

/// The text ends with a space, as there.
pub fn invalid_header() -> Error {
    let public = "invalid authorization header. Must start with Bearer ";
    refusal("INVALID_AUTHORIZATION_HEADER", public)
}

/// It cannot be read as a token at all.
pub fn invalid_token() -> Error {
    refusal("INVALID_TOKEN", "invalid authorization token")
}

pub fn invalid_key() -> Error {
    refusal("INVALID_API_KEY", "invalid API key")
}

/// It can be read, and does not hold.
pub fn refused(why: impl Display) -> Error {
    refusal("INVALID_TOKEN", format!("invalid authorization token: {why}"))
}

/// Its time is not now.
pub fn out_of_time(expired_since_s: Option<i64>, is_early: bool) -> Error {
    let expired = expired_since_s.map(|s| format!("token is expired by {}", duration(s)));
    let early = is_early.then(|| "token is not valid yet".to_owned());
    let problems: Vec<String> = expired.into_iter().chain(early).collect();
    let reason =
        if expired_since_s.is_some() { super::super::TOKEN_EXPIRED } else { "INVALID_TOKEN" };
    let problems = problems.join(", ");
    refusal(reason, format!("invalid authorization token: token has invalid claims: {problems}"))
}

/// A whole number of seconds as Go writes a duration: `2m0s`.
fn duration(s: i64) -> String {
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_written_as_go_does() {
        let shown = [0, 61, 120, 3_600, 90_061].map(duration);
        assert_eq!(shown, ["0s", "1m1s", "2m0s", "1h0m0s", "25h1m1s"]);
    }
}
