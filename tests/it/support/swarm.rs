//! Thousands of clients on one thread: tasks instead of threads, so that the crowd is as large on a small machine.

use std::{future::Future, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};

/// Connections that are being opened at a time.
const OPENING: usize = 64;

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    /// A frame.
    Frame(Value),
    /// A close frame with this code.
    Close(u16),
    /// The end, without a close frame.
    Lost,
}

/// One client. It answers pings by itself, while it is read.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// Its name in its room, once joined.
    pub(crate) id: String,
}

impl Client {
    /// Opens a connection and hears the welcome.
    pub(crate) async fn connect(to: SocketAddr) -> Result<Self, tungstenite::Error> {
        Self::on(TcpStream::connect(to).await?, to, WebSocketConfig::default()).await
    }

    /// The same on a connection that is there.
    pub(crate) async fn on(
        stream: TcpStream,
        to: SocketAddr,
        config: WebSocketConfig,
    ) -> Result<Self, tungstenite::Error> {
        stream.set_nodelay(true)?;
        let (socket, _) =
            tokio_tungstenite::client_async_with_config(format!("ws://{to}/ws"), stream, Some(config)).await?;
        let mut client = Self { socket, id: String::new() };
        match client.next().await {
            Came::Frame(welcome) if welcome["type"] == "welcome" => Ok(client),
            _ => Err(tungstenite::Error::ConnectionClosed),
        }
    }

    /// Sends a join, with these fields beside its type and room, and hears the answer to it.
    pub(crate) async fn join(&mut self, room: &str, more: &Value) -> Came {
        let mut join = json!({"type": "join", "id": "join", "room": room});
        let fields = join.as_object_mut().expect("an object");
        fields.extend(more.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        if self.send_json(&[join]).await.is_err() {
            return Came::Lost;
        }
        loop {
            match self.next().await {
                Came::Frame(frame) if frame["re"] == "join" => {
                    frame["self"]["id"].as_str().unwrap_or_default().clone_into(&mut self.id);
                    return Came::Frame(frame);
                }
                Came::Frame(_) => {}
                end => return end,
            }
        }
    }

    /// Sends frames in one piece.
    pub(crate) async fn send_json(&mut self, frames: &[Value]) -> Result<(), tungstenite::Error> {
        for frame in frames {
            self.socket.feed(Message::text(frame.to_string())).await?;
        }
        self.socket.flush().await
    }

    /// The next frame, or the end. May be dropped while it waits, and nothing is lost.
    pub(crate) async fn next(&mut self) -> Came {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Came::Frame(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(close))) => return Came::Close(close.map_or(1005, |close| close.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Came::Lost,
            }
        }
    }

    /// Answers the server's close frame and waits until it has hung up.
    pub(crate) async fn see_off(mut self) {
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

/// So many clients, each joined to the room that `room` says for its number, with the fields that `more` says; in order of
/// their numbers.
pub(crate) async fn crowd(
    to: SocketAddr,
    count: usize,
    room: impl Fn(usize) -> String,
    more: impl Fn(usize) -> Value,
) -> Vec<(Client, Value)> {
    let (room, more) = (&room, &more);
    let opening = (0..count).map(|number| async move {
        let mut client = Client::connect(to).await.unwrap_or_else(|e| panic!("client {number} cannot connect: {e}"));
        match client.join(&room(number), &more(number)).await {
            Came::Frame(joined) if joined["type"] == "joined" => (client, joined),
            other => panic!("client {number} cannot join: {other:?}"),
        }
    });
    stream::iter(opening).buffered(OPENING).collect().await
}

/// Time that passes in the play: a client's own wait, a server that stays away. Not for waiting until something is so.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Runs clients on this thread; they may share what they know without locks.
pub(crate) fn on_one_thread<T>(all: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, all)
}
