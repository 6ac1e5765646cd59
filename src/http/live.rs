//! A value that can change while the server runs.

use std::sync::{Arc, PoisonError, RwLock};

/// What a reload may replace. Cloning shares it.
///
/// Shared between threads on purpose: every worker asks it, for a handshake or a request of an operator, and one task
/// replaces it.
#[derive(Debug)]
pub struct Live<T: ?Sized>(Arc<RwLock<Arc<T>>>);

impl<T: ?Sized> Live<T> {
    /// Begins with this value.
    #[must_use]
    pub fn new(value: Arc<T>) -> Self {
        Self(Arc::new(RwLock::new(value)))
    }

    /// The value now.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces it, for everybody who asks from now on.
    pub fn set(&self, value: Arc<T>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

impl<T: ?Sized> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<Vec<T>> for Live<[T]> {
    fn from(list: Vec<T>) -> Self {
        Self::new(list.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_it_sees_what_was_set() {
        let origins: Live<[&str]> = vec!["a"].into();
        let worker = origins.clone();
        let held = worker.get();
        origins.set(["b", "c"].as_slice().into());
        assert_eq!((&*held, &*worker.get()), (["a"].as_slice(), ["b", "c"].as_slice()));
    }
}
