//! What proves to the receiver where an event is from: HMAC-SHA-256, as Standard Webhooks has it (`v1`).

use std::{fs, io, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::Secret;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret: shorter ones can be guessed, and the specification knows no longer ones.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Secrets in a file: the one that is in use, and the one that comes or goes.
const MOST: usize = 2;

/// The secrets that events are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SigningKeys(Vec<Secret>);

impl SigningKeys {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or has no secret in it. What was found is not told.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let wrong = || {
            let what = "one or two lines are asked for, each whsec_ and 24 to 64 bytes in base64";
            io::Error::new(io::ErrorKind::InvalidData, what)
        };
        let text = Secret::new(String::from_utf8(fs::read(path)?).map_err(|_| wrong())?);
        let lines = text.reveal().lines().map(str::trim_ascii).filter(|line| !line.is_empty());
        let keys: Option<Vec<_>> = lines.map(|line| key(line).map(|_| Secret::new(line.to_owned()))).collect();
        keys.filter(|keys| (1..=MOST).contains(&keys.len())).map(Self).ok_or_else(wrong)
    }

    /// The value of `webhook-signature`: one signature by each secret, with a space between them. `timestamp` is in seconds since 1970.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let keys = self.0.iter().filter_map(|secret| key(secret.reveal()));
        let signatures = keys.map(|key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of HMAC has any length");
            for part in [id, ".", &timestamp.to_string(), ".", body] {
                mac.update(part.as_bytes());
            }
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn key(line: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(line.strip_prefix(PREFIX)?).ok()?;
    KEY_BYTES.contains(&key.len()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn read(text: &str) -> io::Result<SigningKeys> {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("secret");
        fs::write(&path, text).expect("written");
        SigningKeys::read(&path)
    }

    #[test]
    fn the_signature_is_that_of_the_specification() {
        let keys = read(&format!("\n {SECRET}\n")).expect("a secret");
        let signature = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_receiver_changes_over_both_secrets_sign() {
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let (both, one) = (read(&format!("{SECRET}\n{other}\n")).expect("two"), read(&other).expect("one"));
        let signature = both.sign("msg_1", 1, "{}");
        let (_, second) = signature.split_once(' ').expect("two signatures");
        assert_eq!(second, one.sign("msg_1", 1, "{}"));
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_shown() {
        let (short, long) = (STANDARD.encode([1; 23]), STANDARD.encode([1; 65]));
        let three = [SECRET; 3].join("\n");
        for wrong in ["", "\n", &SECRET[6..], "whsec_!", &format!("whsec_{short}"), &format!("whsec_{long}"), &three] {
            let error = read(wrong).expect_err(wrong);
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(!error.to_string().contains("MfKQ"));
        }
        assert!(SigningKeys::read(Path::new("/nowhere")).is_err());
    }
}
