//! The socket that the service manager hands over (`sd_listen_fds(3)`): while the server restarts, connections wait in it
//! instead of being refused.

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

/// The socket that was handed over, if there is one.
///
/// Hazard: the variables that announce it are removed from the environment, so call this before there are other threads.
///
/// # Errors
/// When it is not one TCP socket that listens.
pub fn take() -> io::Result<Option<TcpListener>> {
    let mut handed = ListenFd::from_env();
    if handed.len() > 1 {
        let sockets = handed.len();
        return Err(io::Error::other(format!(
            "the socket unit hands over {sockets} sockets, and this server takes one: keep one ListenStream= in it"
        )));
    }
    let listener = handed.take_tcp_listener(0)?;
    if let Some(listener) = &listener {
        listener.set_nonblocking(true)?;
    }
    Ok(listener)
}
