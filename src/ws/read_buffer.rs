//! One read buffer per thread, which a connection borrows for a read: an idle one keeps none.

use std::{
    cell::RefCell,
    io,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;

use super::{decoder::Decoder, socket::Socket, traffic};

/// What one read may take.
pub(crate) const READ: usize = 64 * 1024;

thread_local! {
    /// A read hands on slices of it; once they are handled, the next reservation takes the memory back.
    static BUFFER: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// Reads once, at most `most` bytes, behind what the decoder has left of the last read.
pub(super) fn poll_fill<S: Socket>(
    socket: &mut S,
    decoder: &mut Decoder,
    most: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    // Mostly there is nothing: a session is polled whenever anybody sends it something. It costs less to ask than to be refused.
    ready!(socket.poll_read_ready(cx))?;
    if let Some((partial, missing)) = decoder.partial() {
        // No more than has come already: who announces much and sends little gets little.
        partial.reserve(missing.min(partial.len()));
        return read(socket, cx, partial, most);
    }
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        buffer.reserve(decoder.unread().len() + READ);
        buffer.extend_from_slice(decoder.unread());
        let read = ready!(read(socket, cx, buffer, most))?;
        decoder.replace(buffer.split());
        Poll::Ready(Ok(read))
    })
}

/// Reads once, at most `most` bytes, and forgets them.
pub(super) fn poll_discard<S: Socket>(socket: &mut S, most: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        buffer.reserve(most);
        read(socket, cx, buffer, most)
    })
}

/// At most `most` bytes, and at most what `into` has room for.
fn read<S: Socket>(socket: &mut S, cx: &mut Context<'_>, into: &mut BytesMut, most: usize) -> Poll<io::Result<usize>> {
    let most = most.min(into.capacity() - into.len());
    let read = socket.poll_read(cx, into, most);
    if let Poll::Ready(Ok(bytes)) = read {
        traffic::received(bytes);
    }
    read
}
