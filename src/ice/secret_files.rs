//! The secrets that credentials are made of, each in a file of its own: another one is in force without a restart.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use crate::config::Secret;

/// Shortest secret, in bytes: whoever has a credential can try secrets on it for as long as they like.
const SECRET_BYTES: usize = 16;

/// Why a secret cannot be used. It shows nothing of what was found.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The file cannot be read.
    #[error("cannot read the secret of a TURN server in {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// There is no such secret in it.
    #[error(
        "cannot use the secret of a TURN server in {}: its first line must have {SECRET_BYTES} or more visible ASCII characters \
         (openssl rand -hex 32 makes some)",
        path.display()
    )]
    Unfit {
        /// Which.
        path: PathBuf,
    },
}

/// Shared between threads on purpose: sessions of all arbiters ask it, and whoever looks at the files replaces what is in force.
#[derive(Debug)]
pub(super) struct SecretFiles {
    paths: Vec<PathBuf>,
    /// In the order of the paths.
    in_force: RwLock<Arc<[Secret]>>,
}

impl SecretFiles {
    /// Reads them all.
    ///
    /// # Errors
    /// The first that cannot be read, or has no secret.
    pub(super) fn open(paths: Vec<PathBuf>) -> Result<Self, SecretFileError> {
        let secrets = read_all(&paths)?;
        Ok(Self { paths, in_force: RwLock::new(secrets) })
    }

    /// Those that are in force now.
    pub(super) fn secrets(&self) -> Arc<[Secret]> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the files again. Whether any has another secret, which is in force now; on an error all is as before.
    ///
    /// # Errors
    /// As [`SecretFiles::open`].
    pub(super) fn look_again(&self) -> Result<bool, SecretFileError> {
        let found = read_all(&self.paths)?;
        let changed = found != self.secrets();
        if changed {
            *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = found;
        }
        Ok(changed)
    }
}

fn read_all(paths: &[PathBuf]) -> Result<Arc<[Secret]>, SecretFileError> {
    paths.iter().map(|path| read(path)).collect()
}

/// The first line: coturn may be given the same file, and take more of them while one secret follows another.
fn read(path: &Path) -> Result<Secret, SecretFileError> {
    let text = fs::read_to_string(path).map_err(|source| SecretFileError::Read { path: path.to_owned(), source })?;
    // As a secret, so that it is wiped.
    let text = Secret::new(text);
    let line = text.reveal().lines().next().unwrap_or_default().trim_ascii();
    if line.len() < SECRET_BYTES || !line.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SecretFileError::Unfit { path: path.to_owned() });
    }
    Ok(Secret::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "the-old-secret-of-27-bytes";
    const NEW: &str = "the-new-secret-of-27-bytes";

    #[test]
    fn the_first_line_is_the_secret() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("turn");
        for (text, found) in [
            (OLD.to_owned(), Some(OLD)),
            (format!("{NEW}\n{OLD}\n"), Some(NEW)),
            (format!("  {OLD} \r\n"), Some(OLD)),
            (String::new(), None),
            (format!("\n{OLD}"), None),
            ("short".to_owned(), None),
            ("sixteen-and-more but two words".to_owned(), None),
            ("s\u{e9}cret-of-more-than-16-bytes".to_owned(), None),
        ] {
            fs::write(&path, &text).expect("written");
            let files = SecretFiles::open(vec![path.clone()]);
            if let Some(secret) = found {
                assert!(files.expect("a good file").secrets()[0].is(secret), "{text:?}");
            } else {
                let told = files.expect_err(&text).to_string();
                assert!(told.contains("turn: its first line must have 16"), "{told}");
                assert!(text.is_empty() || !told.contains(text.trim()), "{told}");
            }
        }
        let missing = SecretFiles::open(vec![home.path().join("none")]).expect_err("there is none").to_string();
        assert!(missing.contains("none: No such file"), "{missing}");
    }

    #[test]
    fn another_secret_is_in_force_and_a_bad_file_changes_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        let paths = vec![home.path().join("a"), home.path().join("b")];
        for path in &paths {
            fs::write(path, OLD).expect("written");
        }
        let files = SecretFiles::open(paths.clone()).expect("good files");
        assert!(!files.look_again().expect("good files"));
        fs::write(&paths[1], NEW).expect("written");
        assert!(files.look_again().expect("good files"));
        assert!(files.secrets()[0].is(OLD) && files.secrets()[1].is(NEW));
        fs::write(&paths[1], "").expect("written");
        assert!(files.look_again().is_err());
        assert!(files.secrets()[1].is(NEW), "as before");
        assert!(!format!("{files:?}").contains(NEW));
    }
}
