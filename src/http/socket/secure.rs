//! The TLS handshake of a socket whose listener speaks TLS: behind what a proxy says of it, before its head.

use bytes::BytesMut;

use super::head::{self, NoHead};
use crate::{
    telemetry::Rejection,
    tls::TlsAcceptor,
    ws::{AnySocket, TlsError, TlsSocket},
};

/// Makes the handshake on a socket of which `got` was read; afterwards nothing is, and what is read of it is decrypted. The
/// client's part may have `most` bytes; `may` is asked whether its address may make one, when it has begun. A socket that fails is
/// left as it is, or gone.
pub(in crate::http) async fn handshake(
    socket: &mut Option<AnySocket>,
    tls: &TlsAcceptor,
    most: usize,
    got: &mut BytesMut,
    may: impl FnOnce() -> bool,
) -> Result<(), NoHead> {
    head::begin_tls(socket.as_mut().ok_or(NoHead::Gone)?, most, got).await?;
    if !may() {
        return Err(NoHead::TooManyHandshakes);
    }
    let Some(AnySocket::Tcp(tcp)) = socket.take() else { return Err(NoHead::Gone) };
    let begun = TlsSocket::new(tcp, tls.config()).map_err(|_| NoHead::Gone)?;
    let AnySocket::Tls(secured) = socket.insert(begun.into()) else { return Err(NoHead::Gone) };
    let early = got.split();
    secured.handshake(&early, most).await.map_err(|error| match error {
        TlsError::Gone(_) => NoHead::Rejected(Rejection::TlsHandshake),
        TlsError::TooLong => NoHead::Rejected(Rejection::HeadTooLarge),
        TlsError::Failed(error) => NoHead::NoTls(likely_cause(&error)),
    })
}

/// What an answer can be written to, if there is anything that it can be said in: a client whose TLS handshake failed has been
/// sent an alert, and understands no more.
pub(in crate::http) fn speaking(socket: AnySocket) -> Result<AnySocket, AnySocket> {
    match socket {
        AnySocket::Tls(tls) if !tls.is_established() => Err(tls.into_tcp().into()),
        other => Ok(other),
    }
}

fn likely_cause(error: &rustls::Error) -> &'static str {
    use rustls::Error;
    match error {
        Error::AlertReceived(_) => {
            "the client ended the TLS handshake: mostly it does not know who signed the certificate, or asked for another name \
             than the certificate is for"
        }
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => {
            "the client speaks no TLS that this server does: an old one (tls.min_version), or one for HTTP/2 alone"
        }
        _ => Rejection::TlsHandshake.cause(),
    }
}
