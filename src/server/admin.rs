//! The admin socket: the same API, and whoever can open it is the local administrator.

use std::path::Path;

use tokio::net::{UnixListener, UnixStream};

use super::connection::{Listen, Origin};
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

impl Listen for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> std::io::Result<Option<(UnixStream, Origin)>> {
        let (stream, _) = self.accept().await?;
        let uid = stream.peer_cred().ok().map(|peer| peer.uid());
        if uid.is_some_and(may_administer) {
            return Ok(Some((stream, Origin::Socket)));
        }
        let what = "another user opened the admin socket";
        tracing::warn!(target: "audit", event = "authz_fail", uid, what);
        Ok(None)
    }
}

/// Removes the socket, so that nobody takes its file for a running server.
pub(super) fn remove(data_dir: &Path) {
    let _ = std::fs::remove_file(data_dir.join(SOCKET));
}

/// The file's mode keeps others out already; this holds even where somebody has changed it.
fn may_administer(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}
