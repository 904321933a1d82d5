//! A connection whose other side must neither take for ever to send a request's head nor to read an answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::http::patience::{Pace, Patience, TooSlow};

/// How long the head of a request may take, once its first byte is there.
const HEAD: Duration = Duration::from_secs(20);

/// Counts the beginnings and ends of requests on a connection, so it is odd while a request is being answered. What is
/// read then is no head.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<AtomicUsize>);

impl Turns {
    /// A request has begun or ended.
    pub(super) fn next(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream with limits on time. The body of a request has its own ([`Pace::BODY`]), because only whoever reads it knows
/// that it is waited for.
pub(super) struct Paced<S> {
    stream: S,
    turns: Turns,
    /// The head that is being read: its turn, and when it must be complete.
    head: Option<(usize, Pin<Box<Sleep>>)>,
    longest_head: Duration,
    reader: Patience,
}

impl<S> Paced<S> {
    pub(super) const fn new(stream: S, turns: Turns) -> Self {
        Self::with(stream, turns, HEAD, Pace::ANSWER)
    }

    const fn with(stream: S, turns: Turns, longest_head: Duration, pace: Pace) -> Self {
        Self { stream, turns, head: None, longest_head, reader: Patience::new(pace) }
    }

    /// What a write came to: a reader that takes nothing for too long has gone.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => self.reader.passed(count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let slow: TooSlow = ready!(self.reader.poll(context));
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, slow)));
            }
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let turn = self.turns.count();
        self.head.take_if(|(begun, _)| *begun != turn);
        if turn % 2 == 1 {
            return read;
        }
        if read.is_ready() {
            if buffer.filled().len() > before && self.head.is_none() {
                self.head = Some((turn, Box::pin(tokio::time::sleep(self.longest_head))));
            }
            return read;
        }
        match &mut self.head {
            None => Poll::Pending,
            Some((_, until)) => until
                .as_mut()
                .poll(context)
                .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, TooSlow))),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);
    const LONG: Duration = Duration::from_mins(2);

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(LONG, test).await.unwrap() })
    }

    fn paced<S>(stream: S, head: Duration, within: Duration) -> (Paced<S>, Turns) {
        let turns = Turns::default();
        let pace = Pace { bytes: 1000, within };
        (Paced::with(stream, turns.clone(), head, pace), turns)
    }

    #[test]
    fn a_head_that_does_not_end_ends_the_connection() {
        run(async {
            let (near, mut far) = duplex(64);
            let (mut near, _) = paced(near, SHORT, LONG);
            far.write_all(b"GET / HTT").await.unwrap();
            let mut text = Vec::new();
            let error = near.read_to_end(&mut text).await.unwrap_err();
            assert_eq!((error.kind(), &text[..]), (io::ErrorKind::TimedOut, &b"GET / HTT"[..]));
        });
    }

    #[test]
    fn whoever_waits_for_an_answer_may_be_silent() {
        run(async {
            let (near, mut far) = duplex(64);
            let (mut near, turns) = paced(near, SHORT, LONG);
            far.write_all(b"x").await.unwrap();
            near.read_u8().await.unwrap();
            turns.next();
            assert!(tokio::time::timeout(4 * SHORT, near.read_u8()).await.is_err());
            // Nor does the time of one head count for the next.
            turns.next();
            assert!(tokio::time::timeout(4 * SHORT, near.read_u8()).await.is_err());
        });
    }

    #[test]
    fn an_answer_that_nobody_reads_ends_the_connection() {
        run(async {
            let (near, _far) = duplex(64);
            let (mut near, _) = paced(near, LONG, SHORT);
            let error = near.write_all(&[0; 1000]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn an_answer_that_is_read_at_the_pace_is_sent_to_its_end() {
        run(async {
            let (near, mut far) = duplex(64);
            let (mut near, _) = paced(near, LONG, LONG);
            let reader = async {
                let mut text = Vec::new();
                far.read_to_end(&mut text).await.unwrap();
                text.len()
            };
            let writer = async {
                near.write_all(&vec![0; 100_000]).await.unwrap();
                near.shutdown().await.unwrap();
            };
            assert_eq!(futures_util::join!(reader, writer).0, 100_000);
        });
    }
}
