//! Files that are nothing without each other.

use std::{collections::BTreeMap, path::PathBuf};

use super::{error::ConfigError, settings::Settings};

/// A certificate without its key, or the other way round, is a slip, and no reason to speak plain HTTP.
pub(super) fn check(settings: &Settings, origins: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    let (tls, ops) = (&settings.tls, &settings.ops);
    let pairs = [
        [("tls.cert_file", &tls.cert_file), ("tls.key_file", &tls.key_file)],
        [("ops.tls_cert_file", &ops.tls_cert_file), ("ops.tls_key_file", &ops.tls_key_file)],
    ];
    let is_named = |path: &PathBuf| !path.as_os_str().is_empty();
    let Some(pair) = pairs.into_iter().find(|[cert, key]| is_named(cert.1) != is_named(key.1)) else { return Ok(()) };
    let found = pair.map(|(key, path)| {
        let origin = origins.get(key).map_or("default", String::as_str);
        format!("{key} = {:?} ({origin})", path.display().to_string())
    });
    let (keys, found) = (pair.iter().map(|(key, _)| *key).collect(), found.join(", "));
    Err(ConfigError::Conflict { keys, found, allowed: "the files of both, or of neither".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_has_a_key_and_a_key_has_a_certificate() {
        let checked = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            let origins = [("tls.cert_file".to_owned(), "file a.toml".to_owned())].into();
            (check(&settings, &origins).map_err(|error| error.to_string()), settings.tls.files().is_some())
        };
        assert_eq!(checked(|_| ()), (Ok(()), false));
        let (told, _) = checked(|s| s.tls.cert_file = "a.pem".into());
        let expected = "cannot use tls.cert_file and tls.key_file together: found tls.cert_file = \"a.pem\" (file a.toml), \
                        tls.key_file = \"\" (default); allowed: the files of both, or of neither";
        assert_eq!(told.unwrap_err(), expected);
        assert!(
            checked(|s| s.ops.tls_key_file = "a.key".into()).0.is_err_and(|told| told.contains("ops.tls_key_file"))
        );
        assert_eq!(checked(|s| (s.tls.cert_file, s.tls.key_file) = ("a".into(), "b".into())), (Ok(()), true));
    }
}
