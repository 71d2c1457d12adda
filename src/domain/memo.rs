//! What outer layers derive from a value and keep with it, such as the value in a wire format.
//!
//! The domain does not know what that is. It lives and dies with the very value: a cache that drops
//! the value drops it too, and a copy, which is made in order to be changed, begins without.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

#[derive(Default)]
pub struct Memo(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Memo {
    /// What was made before, or what `make` makes now. One value holds one kind of thing: whoever
    /// comes second with another kind always makes its own.
    pub fn get_or_make<T: Send + Sync + 'static>(&self, make: impl Fn() -> T) -> Arc<T> {
        let kept = self.0.get_or_init(|| Arc::new(make()));
        Arc::clone(kept).downcast().unwrap_or_else(|_| Arc::new(make()))
    }

    /// What was kept before, if it is of this kind.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.get().and_then(|kept| Arc::clone(kept).downcast().ok())
    }
}

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Two values are the same whatever was derived from them.
impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_is_made_once_and_not_copied() {
        let memo = Memo::default();
        assert_eq!(memo.get::<i32>(), None);
        assert_eq!(*memo.get_or_make(|| 1), 1);
        assert_eq!(memo.get::<i32>().as_deref(), Some(&1));
        assert_eq!(memo.get::<&str>(), None);
        assert_eq!(*memo.get_or_make(|| 2), 1);
        assert_eq!(*memo.get_or_make(|| "other"), "other");
        assert_eq!(*memo.clone().get_or_make(|| 3), 3);
    }
}
