//! JSON pointers (RFC 6901).

use std::fmt;

/// The names on the way from the root. Without any it is the root itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pointer {
    steps: Vec<String>,
}

impl Pointer {
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(rest) = text.strip_prefix('/') else {
            let is_root = text.is_empty();
            return if is_root { Ok(Self::default()) } else { Err("must begin with '/'") };
        };
        let steps: Option<Vec<_>> = rest.split('/').map(unescape).collect();
        let steps = steps.ok_or("has a '~' without '0' or '1' behind it")?;
        Ok(Self { steps })
    }

    pub fn steps(&self) -> &[String] {
        &self.steps
    }

    /// Whether the other one is below this one.
    pub fn is_above(&self, other: &Self) -> bool {
        self.steps.len() < other.steps.len() && other.steps.starts_with(&self.steps)
    }
}

fn unescape(step: &str) -> Option<String> {
    let mut parts = step.split('~');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(1)?;
        text.push(match code {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        text.push_str(rest);
    }
    Some(text)
}

/// As a pointer is written.
pub(super) fn show(steps: &[String]) -> String {
    steps.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(&self.steps))
    }
}

/// An index of a list: digits without leading zeros.
pub(super) fn index(step: &str) -> Option<usize> {
    let is_number = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = step == "0" || !step.starts_with('0');
    if is_number && is_plain { step.parse().ok() } else { None }
}
