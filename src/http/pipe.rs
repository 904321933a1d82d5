//! A body that something blocking writes while it is sent, a few pieces ahead of the network.

use std::convert::Infallible;
use std::io::{self, Write};

use axum::body::{Body, Bytes};
use futures_util::stream::unfold;
use tokio::sync::mpsc::{Sender, channel};

use crate::app::{self, apart};

/// Pieces that wait to be sent.
const AHEAD: usize = 4;

/// A body of what `write` writes, apart from everything else. It fails with [`io::ErrorKind::BrokenPipe`] once nobody reads.
pub fn body(name: &str, write: impl FnOnce(Pipe) + Send + 'static) -> app::Result<Body> {
    let (sender, receiver) = channel(AHEAD);
    apart(name, move || write(Pipe(sender)))?;
    Ok(Body::from_stream(unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|piece| (Ok::<_, Infallible>(piece), receiver))
    })))
}

/// Where such a body is written. Every write is sent by itself: gather before.
pub struct Pipe(Sender<Bytes>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Bytes::copy_from_slice(bytes));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
