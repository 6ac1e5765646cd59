//! The keys that are in force, and where they come from.

use std::sync::{Arc, PoisonError, RwLock};

use super::{files::KeyFileError, keys::Keys};
use crate::config::Auth;

/// Shared between threads on purpose: every session asks it, for a join with a token, and whoever reloads replaces it.
#[derive(Debug, Clone)]
pub struct KeyRing(Arc<RwLock<Ring>>);

#[derive(Debug)]
struct Ring {
    /// The settings that name the files, and whose tokens are taken.
    source: Arc<Auth>,
    keys: Arc<Keys>,
}

impl KeyRing {
    /// Reads the keys that the settings name.
    ///
    /// # Errors
    /// As [`Keys::read`].
    pub fn open(auth: &Auth) -> Result<Self, KeyFileError> {
        let keys = Keys::read(auth)?;
        Ok(Self(Arc::new(RwLock::new(Ring { source: Arc::new(auth.clone()), keys: Arc::new(keys) }))))
    }

    /// Those that are in force now.
    #[must_use]
    pub fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).keys)
    }

    /// Whether there is one.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys.count() > 0
    }

    /// From now on those of `other` are in force, with what they ask of tokens, and the files it names are looked at.
    pub fn become_like(&self, other: &Self) {
        let (source, keys) = other.both();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Ring { source, keys };
    }

    /// Looks at the files again. Whether any has changed, and is in force now; on an error all is as before.
    ///
    /// # Errors
    /// As [`Keys::read`].
    pub fn look_again(&self) -> Result<bool, KeyFileError> {
        let (source, keys) = self.both();
        let Some(changed) = keys.read_again(&source)? else { return Ok(false) };
        let mut ring = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // While the files were read, other ones may have been named.
        let is_current = Arc::ptr_eq(&ring.source, &source);
        if is_current {
            ring.keys = Arc::new(changed);
        }
        Ok(is_current)
    }

    fn both(&self) -> (Arc<Auth>, Arc<Keys>) {
        let ring = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&ring.source), Arc::clone(&ring.keys))
    }
}
