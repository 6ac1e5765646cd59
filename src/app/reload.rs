//! `SIGHUP` and `POST /admin/v1/reload`: the configuration is read again, and what can change while the server runs is changed.

use std::{path::Path, rc::Rc, sync::Arc, time::SystemTime};

use tokio::{
    select,
    sync::{Notify, mpsc},
};

use crate::{
    auth::{KeyFileError, KeyRing},
    config::{AuthMode, ConfigError, Settings},
    http::{
        live::Live,
        ops::{ReloadRequest, Reloaded, Token},
    },
    telemetry::{self, Event, chain},
    tls::{CertificateError, Certificates},
};

/// Reads the settings again, and what is doubtful about them. Called on a thread that may wait for files.
pub type ReadAgain = Arc<dyn Fn() -> Reread + Send + Sync>;
/// What comes of it.
pub type Reread = Result<(Settings, Vec<String>), ConfigError>;

/// What a reload works on.
pub(super) struct Reload {
    /// What is in effect.
    running: Settings,
    read_again: ReadAgain,
    origins: Live<[String]>,
    secrets: Secrets,
}

/// What operators, clients and the server itself are known by.
#[derive(Clone)]
pub(super) struct Secrets {
    /// What the operator's listener asks for.
    pub(super) token: Option<Token>,
    /// What sessions check join tokens with.
    pub(super) keys: KeyRing,
    /// What TLS handshakes show.
    pub(super) certificates: Certificates,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot read the token in {path} (ops.token_file): {source}")]
    Token { path: String, source: std::io::Error },
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The mode that is configured now may be another, and holds from the next start on.
    #[error("auth.keys and auth.jwks_file name no key, and this server runs with auth.mode = token: nobody could join")]
    NoKeys,
    /// What the panic was is told where panics are.
    #[error("the part that reads the configuration has panicked")]
    Panicked,
}

/// What was read, and is to be in effect.
struct Read {
    settings: Settings,
    doubts: Vec<String>,
    token: Option<Token>,
    keys: KeyRing,
    certificates: Certificates,
}

impl Read {
    /// All of it, or nothing.
    fn by(read_again: &ReadAgain) -> Result<Self, Failed> {
        let (settings, doubts) = read_again()?;
        let token = read_token(&settings.ops.token_file)?;
        let (keys, certificates) = (KeyRing::open(&settings.auth)?, Certificates::open(&settings)?);
        Ok(Self { settings, doubts, token, keys, certificates })
    }
}

impl Reload {
    /// `origins` and `secrets` are what the listeners and the sessions ask.
    pub(super) fn new(running: &Settings, read_again: ReadAgain, origins: Live<[String]>, secrets: Secrets) -> Self {
        Self { running: running.clone(), read_again, origins, secrets }
    }

    /// What is to be done for each signal. It is done for each of these requests, too, one after the other; signals that come
    /// meanwhile are one.
    pub(super) fn on_hangup(mut self, mut requests: mpsc::Receiver<ReloadRequest>) -> impl FnMut() + 'static {
        let hangup = Rc::new(Notify::new());
        let heard = Rc::clone(&hangup);
        actix_rt::spawn(async move {
            loop {
                select! {
                    () = heard.notified() => drop(self.attend().await),
                    Some(ReloadRequest(answer)) = requests.recv() => {
                        telemetry::reopen_log_files();
                        // Whoever asked may be gone by then.
                        let _ = answer.send(self.attend().await);
                    }
                }
            }
        });
        move || {
            // Whoever moves the log's files away asks for this in the same way, sound configuration or not.
            telemetry::reopen_log_files();
            hangup.notify_one();
        }
    }

    /// Reloads, and says in words why not.
    async fn attend(&mut self) -> Result<Reloaded, String> {
        self.reload().await.map_err(|error| {
            telemetry::emit(&Event::ConfigNotReloaded { error: &error });
            chain(&error)
        })
    }

    async fn reload(&mut self) -> Result<Reloaded, Failed> {
        let read_again = Arc::clone(&self.read_again);
        // A file system may take its time, and the supervisor lives on this thread.
        let read = actix_rt::task::spawn_blocking(move || Read::by(&read_again)).await;
        self.take_over(read.unwrap_or(Err(Failed::Panicked))?)
    }

    /// All of it, or nothing.
    fn take_over(&mut self, read: Read) -> Result<Reloaded, Failed> {
        let Read { settings: new, doubts, token, keys, certificates } = read;
        if self.running.auth.mode == AuthMode::Token && !new.auth.has_keys() {
            return Err(Failed::NoKeys);
        }
        let mut differences = self.running.differences(&new);
        // Whether there is a token decides who may reach what from the start: only another one can be taken over.
        match (&self.secrets.token, &token) {
            (Some(ours), Some(theirs)) => {
                if ours.become_like(theirs) && !differences.live.iter().any(|key| key == TOKEN_KEY) {
                    differences.live.push(TOKEN_KEY.to_owned());
                }
            }
            (None, None) => {}
            _ => {
                differences.live.retain(|key| key != TOKEN_KEY);
                differences.fixed.push(TOKEN_KEY.to_owned());
            }
        }
        self.secrets.keys.become_like(&keys);
        let (others, restart) = self.secrets.certificates.become_like(&certificates);
        differences.live.retain(|key| !restart.contains(&key.as_str()));
        differences.fixed.extend(restart.into_iter().map(str::to_owned));
        for key in others {
            if !differences.live.iter().any(|known| known == key) {
                differences.live.push(key.to_owned());
            }
        }
        self.origins.set(new.http.allowed_origins.clone().into());
        // Told at whichever of the two levels tells more.
        let levels = [telemetry::log_level(), new.log.level];
        telemetry::set_log_level(levels[0].max(levels[1]));
        self.running.take_live(&new);
        let of_certificates = self.secrets.certificates.doubts(SystemTime::now());
        for doubt in doubts.into_iter().chain(of_certificates) {
            telemetry::emit(&Event::ConfigWarning { what: &doubt });
        }
        let (changed, restart) = (differences.live.join(", "), differences.fixed.join(", "));
        telemetry::emit(&Event::ConfigReloaded { changed: &changed, restart: &restart });
        telemetry::set_log_level(levels[1]);
        Ok(Reloaded { changed: differences.live, restart: differences.fixed })
    }
}

const TOKEN_KEY: &str = "ops.token_file";

fn read_token(path: &Path) -> Result<Option<Token>, Failed> {
    Token::read(path).map_err(|source| Failed::Token { path: path.display().to_string(), source })
}
