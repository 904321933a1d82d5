//! The admin socket: the same API, and whoever can open it is the local administrator.

use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, From};
use crate::store::{self, restrict_mode};

/// The socket's name in the data directory.
pub const SOCKET: &str = "admin.sock";

/// Listens in the data directory. Call only while the store is open: its lock says that no other server's socket is
/// removed.
pub(super) fn listen(data_dir: &Path) -> Result<UnixListener, store::Error> {
    let path = data_dir.join(SOCKET);
    let failed = |source| store::Error::file(&path, source);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    restrict_mode(&path)?;
    Ok(listener)
}

/// Accepts local administrators until `stop`.
pub(super) async fn accept(
    listener: UnixListener,
    path: PathBuf,
    router: Router,
    tasks: TaskTracker,
    (stop, abort): (CancellationToken, CancellationToken),
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) if may_administer(&stream) => {
                let serving = connection::serve(stream, From::Socket, router.clone(), stop.clone());
                let abort = abort.clone();
                tasks.spawn(async move {
                    tokio::select! {
                        () = serving => {}
                        () = abort.cancelled() => {}
                    }
                });
            }
            Ok(_) => {
                let what = "another user opened the admin socket";
                tracing::warn!(target: "audit", event = "authz_fail", what);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection on the admin socket");
                connection::breathe().await;
            }
        }
    }
    let _ = std::fs::remove_file(path);
}

/// The file's mode keeps others out already; this holds even where somebody has changed it.
fn may_administer(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}
