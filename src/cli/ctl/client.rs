//! The way to the server: HTTP or HTTPS, with the token in a header.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use url::Url;

use crate::{
    config::{Secret, Settings},
    outbound::{self, TrustError},
};

/// Connecting, asking and hearing take no longer than this together. A reload reads files; everything else is at once.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of an answer, at most: the longest recording has half of them.
const ANSWER_BYTES: u64 = 4 << 20;

/// Why there is no answer to show.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// Nobody can be asked there.
    #[error("{0}: an address such as http://10.0.0.7:9464 or https://ops.example.org:9464 is asked for (--url)")]
    Url(String),
    /// The port is chosen by the system.
    #[error("ops.port is 0 here: say by --url where the server listens")]
    NoPort,
    /// The token cannot be read.
    #[error("cannot read the token in {}: {source}", path.display())]
    Token {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There are no certificates that could vouch for the server.
    #[error("cannot check who the server is{}: {source}", named(ca_file.as_deref()))]
    Trust {
        /// Where they should be; `None`: on this machine.
        ca_file: Option<PathBuf>,
        /// Why not.
        source: TrustError,
    },
    /// A path cannot have this name in it: every reader of URLs takes it for a way to another place (RFC 3986 section 5.2.4).
    #[error("a room named {0} cannot be asked for by its path: switchboard ctl peers --room {0} shows who is in it")]
    Unaddressable(String),
    /// Nobody answers.
    #[error("{asked}: {source}")]
    Transport {
        /// What was asked.
        asked: String,
        /// Why not.
        source: Box<ureq::Error>,
    },
    /// What came is no answer of the operator's API.
    #[error("{asked}: {status} without an answer of Switchboard's: is this its ops listener, and http or https right?")]
    Strange {
        /// What was asked.
        asked: String,
        /// Of the answer.
        status: u16,
    },
    /// The server has refused.
    #[error("{asked}: {status} {code}: {message}")]
    Refused {
        /// What was asked.
        asked: String,
        /// Of the answer.
        status: u16,
        /// The same for programs.
        code: String,
        /// The same for people.
        message: String,
    },
}

/// How something is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Method {
    Get,
    Put,
    Post,
    Delete,
}

/// Asks one server.
pub(super) struct Client {
    agent: ureq::Agent,
    base: Url,
    token: Option<Secret>,
}

impl Client {
    /// Of the server that these settings are for, unless another is named. Over TLS it must prove who it is to the certificates in
    /// `ca_file`, or else to those that this machine trusts.
    pub(super) fn new(
        settings: &Settings,
        url: Option<&Url>,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, CtlError> {
        let base = match url {
            Some(url) => url.clone(),
            None => configured(settings)?,
        };
        if !["http", "https"].contains(&base.scheme()) || base.cannot_be_a_base() {
            return Err(CtlError::Url(base.to_string()));
        }
        let configured = Some(&*settings.ops.token_file).filter(|path| !path.as_os_str().is_empty());
        let token = token_file.or(configured).map(read_token).transpose()?;
        let tls = outbound::tls(ca_file.unwrap_or(Path::new("")), base.scheme() == "https")
            .map_err(|source| CtlError::Trust { ca_file: ca_file.map(Path::to_owned), source })?;
        let config = ureq::Agent::config_builder().tls_config(tls);
        // The token is for this server alone: neither a proxy nor wherever an answer leads to is to have it.
        let config = config.proxy(None).max_redirects(0).http_status_as_error(false).timeout_global(Some(PATIENCE));
        Ok(Self { agent: config.build().into(), base, token })
    }

    /// Asks for that path below `/admin/v1`. The answer, if it is none of a refusal.
    pub(super) fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, CtlError> {
        let answer = self.exchange(method, path, query, body)?;
        if answer.status == NO_CONTENT { Ok(Value::Null) } else { answer.object() }
    }

    /// Asks for what is no JSON, and begins so.
    pub(super) fn ask_text(&self, path: &[&str], query: &[(&str, &str)], begin: &str) -> Result<String, CtlError> {
        let answer = self.exchange(Method::Get, path, query, None)?;
        if answer.is_success && answer.text.starts_with(begin) {
            return Ok(answer.text);
        }
        let (asked, status) = (answer.asked.clone(), answer.status);
        // What is no refusal is something else's.
        answer.object().and(Err(CtlError::Strange { asked, status }))
    }

    fn exchange(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, CtlError> {
        if let Some(dots) = path.iter().find(|segment| [".", ".."].contains(segment)) {
            return Err(CtlError::Unaddressable((*dots).to_owned()));
        }
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["admin", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let asked = format!("{} {url}", format!("{method:?}").to_uppercase());
        let failed = |source| CtlError::Transport { asked: asked.clone(), source: Box::new(source) };
        let mut answer = self.send(method, url.as_str(), body).map_err(failed)?;
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string().map_err(failed)?;
        Ok(Answer { asked, is_success: answer.status().is_success(), status: answer.status().as_u16(), text })
    }

    fn send(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let authorization = self.token.as_ref().map(|token| format!("Bearer {}", token.reveal()));
        let body = body.map(ToString::to_string).unwrap_or_default();
        match method {
            Method::Get => with_token(self.agent.get(url), authorization).call(),
            Method::Delete => with_token(self.agent.delete(url), authorization).call(),
            Method::Put => with_token(self.agent.put(url), authorization).content_type(JSON).send(body),
            Method::Post => with_token(self.agent.post(url), authorization).content_type(JSON).send(body),
        }
    }
}

/// What came back.
struct Answer {
    asked: String,
    is_success: bool,
    status: u16,
    text: String,
}

impl Answer {
    /// What the operator's API says.
    fn object(self) -> Result<Value, CtlError> {
        let Self { asked, is_success, status, text } = self;
        let said = serde_json::from_str(&text).ok().filter(Value::is_object);
        let said: Value = said.ok_or_else(|| CtlError::Strange { asked: asked.clone(), status })?;
        if is_success {
            return Ok(said);
        }
        let field = |name: &str| super::show::text(&said["error"][name]);
        let (code, message) = (field("code"), field("message"));
        Err(CtlError::Refused { asked, status, code, message })
    }
}

const JSON: &str = "application/json";
/// The one status of an answer that has no body.
const NO_CONTENT: u16 = 204;

fn named(ca_file: Option<&Path>) -> String {
    ca_file.map(|path| format!(" by {}", path.display())).unwrap_or_default()
}

fn with_token<B>(request: ureq::RequestBuilder<B>, authorization: Option<String>) -> ureq::RequestBuilder<B> {
    match authorization {
        Some(value) => request.header("Authorization", value),
        None => request,
    }
}

/// Where the ops listener is by these settings. A wildcard address is listened on, never connected to.
fn configured(settings: &Settings) -> Result<Url, CtlError> {
    let ops = &settings.ops;
    if ops.port == 0 {
        return Err(CtlError::NoPort);
    }
    let host = match ops.host.parse() {
        Ok(IpAddr::V4(v4)) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        Ok(IpAddr::V6(v6)) if v6.is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
        Ok(IpAddr::V6(v6)) => format!("[{v6}]"),
        _ => ops.host.clone(),
    };
    let scheme = if ops.tls_files().is_some() { "https" } else { "http" };
    let text = format!("{scheme}://{host}:{}", ops.port);
    Url::parse(&text).map_err(|_| CtlError::Url(text))
}

/// One line.
fn read_token(path: &Path) -> Result<Secret, CtlError> {
    let text = fs::read_to_string(path).map_err(|source| CtlError::Token { path: path.to_owned(), source })?;
    Ok(Secret::new(text.trim_ascii().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_where_it_listens() {
        let place = |host: &str| {
            let mut settings = Settings::default();
            settings.ops.host = host.to_owned();
            configured(&settings).map(|url| url.to_string()).unwrap()
        };
        for (host, url) in [
            ("127.0.0.1", "http://127.0.0.1:9464/"),
            ("0.0.0.0", "http://127.0.0.1:9464/"),
            ("::", "http://[::1]:9464/"),
            ("fd00::7", "http://[fd00::7]:9464/"),
            ("ops.internal", "http://ops.internal:9464/"),
        ] {
            assert_eq!(place(host), url);
        }
        let mut settings = Settings::default();
        settings.ops.port = 0;
        assert!(matches!(configured(&settings), Err(CtlError::NoPort)));
        (settings.ops.port, settings.ops.tls_cert_file, settings.ops.tls_key_file) = (1, "a".into(), "b".into());
        assert_eq!(configured(&settings).unwrap().as_str(), "https://127.0.0.1:1/");
        for refused in ["ftp://a.example", "data:text"] {
            let url = Url::parse(refused).unwrap();
            assert!(matches!(Client::new(&settings, Some(&url), None, None), Err(CtlError::Url(_))), "{refused}");
        }
    }
}
