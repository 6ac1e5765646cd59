//! The servers that run here, as `/proc` shows them: where one listens that was started with arguments that the probe
//! does not have, or that let the system choose its port.
//!
//! Only processes of this program and of this user are looked at. Where there is no `/proc`, none is found.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use clap::Parser;

use crate::{
    cli::Arguments,
    config::{self, Network, Settings},
};

/// Where to ask.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    /// 0 where it could not be found out.
    pub(super) port: u16,
    /// Why this may be the wrong place.
    pub(super) note: Option<String>,
    /// From these a connection must begin with a header of the PROXY protocol.
    pub(super) proxies: Vec<Network>,
    /// Whether TLS is spoken there. Both are to be tried where it is not known which of the listeners it is.
    pub(super) tls: Vec<bool>,
}

/// A server that runs.
struct Server {
    process: PathBuf,
    /// Its variables that concern us.
    environment: Vec<(String, String)>,
    settings: Settings,
}

/// Where the server listens that this process is to ask after. `own` is what this process would use itself, from `file`
/// and `environment`.
pub(super) fn place(own: &Settings, file: Option<&Path>, environment: &[(String, String)]) -> Place {
    let as_configured = |note| Place { note, ..Place::of(own) };
    if file.is_some() && own.server.port != 0 {
        return as_configured(None);
    }
    let is_set = |key: &str| environment.iter().any(|(name, value)| !value.is_empty() && config::sets(name, key));
    let fits = |server: &Server| {
        let theirs = &server.settings.server;
        let open = |key| file.is_none() && !is_set(key);
        (open("server.host") || theirs.host == own.server.host)
            && (open("server.port") || theirs.port == own.server.port)
    };
    let mut servers: Vec<Server> = running().into_iter().filter(fits).collect();
    if servers.len() > 1 {
        // In a container both have the same variables; on a machine with several servers that tells them apart.
        servers.retain(|server| same(&server.environment, environment));
        if servers.len() != 1 {
            return as_configured(Some(
                "several servers run here: --config, HOST or PORT say which is meant".to_owned(),
            ));
        }
    }
    match servers.first() {
        None => as_configured(None),
        Some(server) => server.place().unwrap_or_else(|| as_configured(None)),
    }
}

impl Place {
    /// The public listener by these settings.
    fn of(settings: &Settings) -> Self {
        let (host, port) = (settings.server.host.clone(), settings.server.port);
        Self { host, port, note: None, proxies: proxies(settings), tls: vec![settings.tls.files().is_some()] }
    }
}

impl Server {
    fn place(&self) -> Option<Place> {
        let theirs = &self.settings.server;
        if theirs.port != 0 {
            return Some(Place::of(&self.settings));
        }
        // Both listeners answer: which of them it is does not matter.
        let (ip, port) = listening(&self.process).into_iter().next()?;
        let mut tls = vec![self.settings.tls.files().is_some(), self.settings.ops.tls_files().is_some()];
        tls.dedup();
        Some(Place { host: ip.to_string(), port, tls, ..Place::of(&self.settings) })
    }
}

fn proxies(settings: &Settings) -> Vec<Network> {
    if settings.http.proxy_protocol { settings.http.trusted_networks() } else { Vec::new() }
}

fn same(theirs: &[(String, String)], ours: &[(String, String)]) -> bool {
    let set = |all: &[(String, String)]| all.iter().cloned().collect::<HashSet<_>>();
    set(theirs) == set(ours)
}

/// The servers that run here, but for what cannot be read of them.
fn running() -> Vec<Server> {
    let own = std::process::id().to_string();
    let program = identity(Path::new("/proc/self/exe"));
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let processes = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let others = processes.filter(|process| {
        let name = process.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.bytes().all(|b| b.is_ascii_digit()) && name != own
    });
    let ours = others.filter(|process| program.is_some() && identity(&process.join("exe")) == program);
    ours.filter_map(|process| Server::read(&process)).collect()
}

/// Which file a program is, whatever it is called.
fn identity(program: &Path) -> Option<(u64, u64)> {
    fs::metadata(program).ok().map(|file| (file.dev(), file.ino()))
}

impl Server {
    /// `None` for a process that is none, or that has ended meanwhile.
    fn read(process: &Path) -> Option<Self> {
        let arguments = Arguments::try_parse_from(texts(&process.join("cmdline"))?).ok()?;
        if arguments.probe || arguments.check_config || arguments.command.is_some() {
            return None;
        }
        let variables = texts(&process.join("environ"))?.into_iter().filter_map(|variable| {
            let text = variable.into_string().ok()?;
            let (name, value) = text.split_once('=')?;
            Some((name.into(), value.into()))
        });
        let environment = config::environment(variables).ok()?;
        let file = config::file(arguments.config.as_deref(), &environment);
        // Its paths are relative to its folder.
        let file = file.map(|file| fs::read_link(process.join("cwd")).unwrap_or_default().join(file));
        let settings = Settings::load(file.as_deref(), environment.iter().cloned()).ok()?;
        Some(Self { process: process.to_owned(), environment, settings })
    }
}

/// The texts of a file in which each ends with a zero.
fn texts(path: &Path) -> Option<Vec<OsString>> {
    let bytes = fs::read(path).ok()?;
    let texts = bytes.split(|byte| *byte == 0).filter(|text| !text.is_empty());
    Some(texts.map(|text| OsString::from_vec(text.to_vec())).collect())
}

/// The addresses that a process listens on.
fn listening(process: &Path) -> Vec<(IpAddr, u16)> {
    let links = fs::read_dir(process.join("fd")).into_iter().flatten();
    let links = links.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()?.into_os_string().into_string().ok());
    let sockets: HashSet<String> =
        links.filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
    let table = |name: &str| fs::read_to_string(process.join("net").join(name)).unwrap_or_default();
    let tables = [table("tcp"), table("tcp6")].concat();
    tables.lines().filter_map(|line| listener(line, &sockets)).collect()
}

/// A line of `/proc/net/tcp`, if it is of a listener (state 0A) whose socket is one of these. Addresses are in words of
/// the machine's own order.
fn listener(line: &str, sockets: &HashSet<String>) -> Option<(IpAddr, u16)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, socket) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    if *state != "0A" || !sockets.contains(*socket) {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let words = (0..address.len()).step_by(8).map(|at| u32::from_str_radix(address.get(at..at + 8)?, 16).ok());
    let bytes: Vec<u8> = words.collect::<Option<Vec<_>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    let ip = match bytes.as_slice() {
        &[a, b, c, d] => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        sixteen => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(sixteen).ok()?)),
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_process_is_seen_to_listen() {
        let ipv4 = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let here = Path::new("/proc/self");
        assert!(!listening(here).contains(&(ipv4.ip(), ipv4.port())), "it was closed");
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let bound = listener.local_addr().unwrap();
            assert!(listening(here).contains(&(bound.ip(), bound.port())), "{bound} in {:?}", listening(here));
        }
    }

    #[test]
    fn another_program_is_no_server() {
        assert!(Server::read(Path::new("/proc/self")).is_none_or(|server| server.environment.is_empty()));
        assert!(Server::read(Path::new("/proc/no-such-process")).is_none());
    }
}
