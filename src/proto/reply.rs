//! A reply that many calls may share, with the forms that it was written in.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

/// What a handler answers. Most replies are their call's own.
#[derive(Debug)]
pub enum Reply<T> {
    Own(T),
    Shared(Arc<Shared<T>>),
}

impl<T> From<T> for Reply<T> {
    fn from(message: T) -> Self {
        Self::Own(message)
    }
}

impl<T> Reply<T> {
    /// Its bytes. `form` is `None` if they depend on more than a form names.
    pub fn bytes(&self, form: Option<Form>, write: impl FnOnce(&T) -> Bytes) -> Bytes {
        match (self, form) {
            (Self::Own(message), _) => write(message),
            (Self::Shared(shared), None) => write(&shared.message),
            (Self::Shared(shared), Some(form)) => shared.bytes(form, write),
        }
    }
}

impl<T: Clone> Reply<T> {
    pub fn into_message(self) -> T {
        match self {
            Self::Own(message) => message,
            Self::Shared(shared) => shared.message.clone(),
        }
    }
}

/// A way of writing a reply whose bytes depend on nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Proto,
    /// The whole message as JSON, in its service's profile.
    Json,
    /// What the first REST route of its method answers.
    Rest,
}

const FORMS: usize = 3;

/// A message that does not change, and its bytes in each form that was asked for so far.
#[derive(Debug)]
pub struct Shared<T> {
    message: T,
    forms: [OnceLock<Bytes>; FORMS],
}

impl<T> Shared<T> {
    pub fn new(message: T) -> Self {
        Self { message, forms: [const { OnceLock::new() }; FORMS] }
    }

    /// `write` must give the same bytes for the same form whenever it is asked.
    fn bytes(&self, form: Form, write: impl FnOnce(&T) -> Bytes) -> Bytes {
        self.forms[form as usize].get_or_init(|| write(&self.message)).clone()
    }
}
