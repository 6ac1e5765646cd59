use std::{fs, path::PathBuf, time::Duration};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

/// A folder with a certificate and its key.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.put(2100);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn files(&self) -> TlsFiles {
        TlsFiles { cert: self.path("cert.pem"), key: self.path("key.pem") }
    }

    /// Another one in its place, which ends with that year's first day.
    fn put(&self, year: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec!["meet.example".to_owned()]).unwrap();
        parameters.not_after = date_time_ymd(year, 1, 1);
        let texts = (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem());
        fs::write(self.path("cert.pem"), &texts.0).unwrap();
        fs::write(self.path("key.pem"), &texts.1).unwrap();
        texts
    }

    fn open(&self) -> Result<TlsAcceptor, String> {
        TlsAcceptor::open(self.files(), TlsVersion::Tls12).map_err(|error| error.to_string())
    }
}

#[test]
fn what_cannot_be_used_is_told_by_its_file_and_nothing_of_it_is_shown() {
    let folder = Folder::new();
    let (certificate, key) = folder.put(2100);
    let other = KeyPair::generate().unwrap().serialize_pem();
    let many = certificate.repeat(11);
    let body = key.lines().nth(1).unwrap();
    for (cert, key, file, told) in [
        ("", key.as_str(), "cert.pem", "no certificate in it"),
        (key.as_str(), key.as_str(), "cert.pem", "no certificate in it"),
        (many.as_str(), key.as_str(), "cert.pem", "at most 10"),
        ("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", key.as_str(), "cert.pem", "cannot be read"),
        ("-----BEGIN CERTIFICATE-----\n(\n-----END CERTIFICATE-----\n", key.as_str(), "cert.pem", "in PEM"),
        (certificate.as_str(), "", "key.pem", "a private key in PEM"),
        (certificate.as_str(), certificate.as_str(), "key.pem", "a private key in PEM"),
        (certificate.as_str(), other.as_str(), "key.pem", "not the key of the certificate"),
        (
            certificate.as_str(),
            "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
            "key.pem",
            "an ECDSA or an Ed25519 key",
        ),
    ] {
        fs::write(folder.path("cert.pem"), cert).unwrap();
        fs::write(folder.path("key.pem"), key).unwrap();
        let error = folder.open().unwrap_err();
        assert!(error.contains(file) && error.contains(told), "{told}: {error}");
        assert!(!error.contains(body), "{error}");
    }
    fs::remove_file(folder.path("key.pem")).unwrap();
    assert!(folder.open().unwrap_err().contains("key.pem"));
}

#[test]
fn other_files_are_in_force_once_they_are_whole_and_until_then_the_former_ones() {
    let folder = Folder::new();
    let acceptor = folder.open().unwrap();
    let shown = || Arc::clone(&acceptor.current.read().certificate.certified);
    let first = shown();
    assert!(!acceptor.look_again().unwrap());
    let (certificate, _) = folder.put(2101);
    fs::write(folder.path("cert.pem"), &certificate[..certificate.len() / 2]).unwrap();
    assert!(acceptor.look_again().is_err() && Arc::ptr_eq(&first, &shown()), "half of it");
    fs::write(folder.path("cert.pem"), certificate).unwrap();
    assert!(acceptor.look_again().unwrap() && !acceptor.look_again().unwrap());
    assert_ne!(shown().cert, first.cert);
    let other = Folder::new();
    let (theirs, same) = (other.open().unwrap(), other.open().unwrap());
    assert!(acceptor.become_like(&theirs) && !acceptor.become_like(&same));
    assert_eq!(shown().cert, theirs.current.read().certificate.certified.cert);
    folder.put(2102);
    assert!(!acceptor.look_again().unwrap(), "the former files are looked at no more");
}

#[test]
fn a_certificate_that_is_not_good_now_is_told() {
    let folder = Folder::new();
    let acceptor = folder.open().unwrap();
    let day = Duration::from_secs(86_400);
    assert_eq!(acceptor.doubt(SystemTime::now()), None);
    assert!(acceptor.doubt(acceptor.ends()).is_some_and(|told| told.contains("cert.pem has expired")));
    assert_eq!(acceptor.doubt(acceptor.ends() - day), None);
    assert!(acceptor.doubt(SystemTime::UNIX_EPOCH).is_some_and(|told| told.contains("not good yet")));
}
