//! The admin socket. It serves the same API, and a caller who can open it is the local administrator.

use std::path::Path;

use tokio::net::{UnixListener, UnixStream};

use super::connection::{Listen, Origin};
use crate::store::{self, restrict_mode};

/// The name of the socket in the data directory.
pub const SOCKET: &str = "admin.sock";

/// Listens in the data directory. Call it only while the store is open, because only the lock of the store ensures that
/// the socket of another server is not removed.
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
    type Raw = UnixStream;
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

    fn open(
        &self,
        raw: UnixStream,
    ) -> impl Future<Output = std::io::Result<UnixStream>> + Send + 'static {
        std::future::ready(Ok(raw))
    }
}

/// Removes the socket, so that its file is not mistaken for a running server.
pub(super) fn remove(data_dir: &Path) {
    let _ = std::fs::remove_file(data_dir.join(SOCKET));
}

/// Whether a user may administer. The mode of the file already keeps others out; this check also holds when somebody
/// has changed the mode.
fn may_administer(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}
