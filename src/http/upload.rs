//! Files: multipart in, bytes out, nothing of them whole in memory.

use axum::RequestExt;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Multipart, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use tokio_util::io::ReaderStream;

use super::body::check_length;
use super::error::ApiError;
use crate::app::App;
use crate::domain::JobId;
use crate::ops;
use crate::store::{self, Blob, BlobKind, Upload};

/// Bytes that are gathered before they are written.
const BUFFER: usize = 1 << 20;

/// A file that arrived and is on disk. Dropping it removes it.
///
/// Hazard: a request may end (its client leaves) while the write that gives the file to a row goes on. So the file belongs
/// to that write, and not to the request: hand it to [`App::write_then`].
pub struct Arrived {
    upload: Upload,
    /// What is known of it.
    pub blob: Blob,
}

impl Arrived {
    /// Keeps the file if a row names it (`Ok(true)`), or may name it: after a failed commit nobody knows, and the next
    /// start removes it if none does.
    pub fn settle(self, outcome: &Result<bool, ops::Error>) {
        if matches!(outcome, Ok(true) | Err(ops::Error::Store(store::Error::Lost))) {
            self.upload.keep();
        }
    }
}

/// Reads the part `file` of a multipart request into a blob.
///
/// # Errors
/// 400 when there is no such part or the request breaks off (nothing is left then), 413 when it is too large.
pub async fn receive(app: &App, mut request: Request) -> Result<Arrived, ApiError> {
    let limit = app.limits().upload;
    check_length(request.headers(), limit)?;
    DefaultBodyLimit::disable().apply(&mut request);
    let bad = || ApiError::bad_request("Bad Request");
    let mut parts: Multipart = request.extract().await.map_err(|_| bad())?;
    let broken = |error: axum::extract::multipart::MultipartError| {
        tracing::debug!(reason = %error.into_response().status(), "an upload broke off");
        ApiError::bad_request("Bad Request")
    };
    while let Some(mut part) = parts.next_field().await.map_err(broken)? {
        if part.name() != Some("file") {
            continue;
        }
        let store = app.store().clone();
        let mut upload =
            app.blocking(move || store.blobs().upload()).await?.map_err(ops::Error::from)?;
        let (mut buffer, mut size) = (Vec::new(), 0_u64);
        while let Some(chunk) = part.chunk().await.map_err(broken)? {
            size += chunk.len() as u64;
            if size > limit {
                return Err(ApiError::too_large());
            }
            buffer.extend_from_slice(&chunk);
            if buffer.len() >= BUFFER {
                (upload, buffer) = write(app, upload, buffer).await?;
            }
        }
        (upload, _) = write(app, upload, buffer).await?;
        let now = app.now();
        let finished =
            app.blocking(move || upload.finish(now).map(|blob| Arrived { upload, blob })).await?;
        return Ok(finished.map_err(ops::Error::from)?);
    }
    Err(bad())
}

async fn write(
    app: &App,
    mut upload: Upload,
    mut buffer: Vec<u8>,
) -> Result<(Upload, Vec<u8>), ApiError> {
    let written = app
        .blocking(move || {
            upload.write(&buffer)?;
            buffer.clear();
            Ok::<_, store::Error>((upload, buffer))
        })
        .await?;
    Ok(written.map_err(ops::Error::from)?)
}

/// A blob of a job as an answer, read from its file while it is sent; `None` when there is none.
///
/// # Errors
/// 500 when the file is not there.
pub async fn send(app: &App, job: JobId, kind: BlobKind) -> Result<Option<Response>, ApiError> {
    let Some(blob) = app.read(|tx| ops::blob(tx, job, kind))? else {
        return Ok(None);
    };
    let store = app.store().clone();
    let (file, _) = app.blocking(move || store.blobs().open(blob.name)).await??;
    let file = tokio::fs::File::from_std(file);
    let body = Body::from_stream(ReaderStream::with_capacity(file, 64 * 1024));
    let kind = HeaderValue::from_static("application/gzip");
    let headers = [(CONTENT_TYPE, kind), (CONTENT_LENGTH, HeaderValue::from(blob.size))];
    Ok(Some((headers, body).into_response()))
}
