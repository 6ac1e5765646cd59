//! One connection of a peer, through the proxy.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use switchboard_chaos::Line;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::world::World;

/// How long a connection, or an answer to a `join`, may take before a peer tries again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// The connection is gone, in whatever way.
#[derive(Debug)]
pub(crate) struct Gone;

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    Frame(Value),
    /// A close frame.
    Close(u16),
    /// Nothing until then.
    Nothing,
}

pub(crate) struct Connection {
    socket: WebSocketStream<TcpStream>,
    /// The same connection, where it can be hurt.
    pub(crate) line: Arc<Line>,
}

impl Connection {
    /// Connects and receives `welcome`.
    pub(crate) async fn open(world: &World) -> Result<Self, Gone> {
        let opening = async {
            let stream = TcpStream::connect(world.proxy.address()).await.map_err(|_| Gone)?;
            let client = stream.local_addr().map_err(|_| Gone)?;
            let (socket, _) = client_async("ws://localhost/ws", stream).await.map_err(|_| Gone)?;
            let line = world.proxy.line(client).ok_or(Gone)?;
            Ok(Self { socket, line })
        };
        let mut connection = timeout(PATIENCE, opening).await.map_err(|_| Gone)??;
        match connection.receive(Instant::now() + PATIENCE).await? {
            Came::Frame(frame) if frame["type"] == "welcome" => Ok(connection),
            Came::Frame(frame) => {
                world.fail(format!("the first frame is {frame}"));
                Err(Gone)
            }
            _ => Err(Gone),
        }
    }

    /// Sends a frame, unless the connection is known to be gone.
    pub(crate) async fn send(&mut self, frame: &Value) -> Result<(), Gone> {
        self.write(Message::text(frame.to_string())).await
    }

    /// Says goodbye in the proper way, and hangs up.
    pub(crate) async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        let _ = self.write(Message::Close(Some(frame))).await;
        let until = Instant::now() + PATIENCE;
        // What was on its way, then the answer, then the end.
        while let Ok(Came::Frame(_) | Came::Close(_)) = self.receive(until).await {}
    }

    async fn write(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(PATIENCE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    /// Receives one frame. The server's pings are answered meanwhile.
    pub(crate) async fn receive(&mut self, until: Instant) -> Result<Came, Gone> {
        loop {
            let Ok(came) = timeout_at(until, self.socket.next()).await else { return Ok(Came::Nothing) };
            match came {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(text.as_str()).map(Came::Frame).map_err(|_| Gone);
                }
                Some(Ok(Message::Close(frame))) => {
                    return Ok(Came::Close(frame.map_or(1005, |frame| frame.code.into())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(Gone),
            }
        }
    }
}

/// A frame for a failure's message, without its padding.
pub(crate) fn brief(frame: &Value) -> String {
    let mut frame = frame.clone();
    if let Some(data) = frame.get_mut("data").and_then(Value::as_object_mut) {
        data.remove("pad");
    }
    frame.to_string()
}
