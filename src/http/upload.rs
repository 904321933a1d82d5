//! Files: multipart in, bytes out, nothing of them whole in memory.

use std::convert::Infallible;
use std::io::ErrorKind::NotFound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, RequestExt};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use tokio_util::io::ReaderStream;

use super::body::{PacedBody, check_disk, check_length, too_slow};
use super::error::ApiError;
use super::load::Load;
use crate::app::App;
use crate::domain::{Blob, BlobKind, JobId};
use crate::ops;
use crate::store::{self, Upload};

/// Bytes that are gathered before they are written.
const BUFFER: usize = 1 << 20;
/// Parts that are looked at for the file.
const PARTS: usize = 16;
/// Bytes that may stand before those of the file: a preamble, the heads of parts, other parts.
const AROUND: usize = 1 << 20;

/// A request whose body is multipart, with a file in it.
pub struct FileRequest(pub Request);

impl<S: Sync> FromRequest<S> for FileRequest {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(Self(request))
    }
}

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
/// 400 when there is no such part or the request breaks off (nothing is left then), 408 when it comes too slowly, 413 when
/// it is too large, 503 and 507 when there is no room for it in memory and on disk.
pub async fn receive(app: &App, mut request: Request) -> Result<Arrived, ApiError> {
    let limit = app.limits().upload;
    check_length(request.headers(), limit)?;
    check_disk(app)?;
    if let Some(load) = request.extensions().get::<Load>() {
        load.grow(2 * BUFFER as u64)?;
    }
    DefaultBodyLimit::disable().apply(&mut request);
    let around = Around::default();
    let counted = around.clone();
    let request = request.map(|body| {
        let pieces = PacedBody::new(body).into_data_stream();
        Body::from_stream(pieces.map(move |piece| counted.check(piece)))
    });
    let bad = || ApiError::bad_request("Bad Request");
    let mut parts: Multipart = request.extract().await.map_err(|_| bad())?;
    for _ in 0..PARTS {
        let Some(mut part) = parts.next_field().await.map_err(|error| refused(&error))? else {
            return Err(bad());
        };
        if part.name() != Some("file") {
            continue;
        }
        around.end();
        let store = app.store().clone();
        let mut upload =
            app.blocking(move || store.blobs().upload()).await?.map_err(ops::Error::from)?;
        let (mut buffer, mut size) = (Vec::new(), 0_u64);
        while let Some(chunk) = part.chunk().await.map_err(|error| refused(&error))? {
            size += chunk.len() as u64;
            if size > limit {
                return Err(ApiError::too_large());
            }
            buffer.extend_from_slice(&chunk);
            if buffer.len() >= BUFFER {
                check_disk(app)?;
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

/// Counts what comes before the bytes of the file. The parser gathers the heads of parts, and reads over what it is not
/// asked for, without a limit of its own.
#[derive(Clone, Default)]
struct Around(Arc<AtomicUsize>);

impl Around {
    /// The file begins: what comes from now on is its bytes.
    fn end(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }

    fn check(&self, piece: Result<Bytes, BoxError>) -> Result<Bytes, BoxError> {
        let piece = piece?;
        let before = self.0.load(Ordering::Relaxed);
        if before != usize::MAX {
            if before > AROUND {
                return Err("too much before the file".into());
            }
            self.0.store(before + piece.len(), Ordering::Relaxed);
        }
        Ok(piece)
    }
}

fn refused(error: &MultipartError) -> ApiError {
    tracing::debug!(%error, "an upload broke off");
    too_slow(error).unwrap_or_else(|| ApiError::bad_request("Bad Request"))
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
/// 404 when its file is gone.
pub async fn send(app: &App, job: JobId, kind: BlobKind) -> Result<Option<Response>, ApiError> {
    let Some(blob) = app.read(|tx| ops::blob(tx, job, kind))? else {
        return Ok(None);
    };
    let store = app.store().clone();
    let (file, _) = match app.blocking(move || store.blobs().open(blob.name)).await? {
        Err(store::Error::File { path, source }) if source.kind() == NotFound => {
            tracing::error!(%job, path = %path.display(), "the file of a job is gone");
            let what = kind.as_str();
            return Err(ApiError::new(
                StatusCode::NOT_FOUND,
                format!("The file of the {what} of this job is gone from the server's disk"),
            ));
        }
        opened => opened?,
    };
    let file = tokio::fs::File::from_std(file);
    let body = Body::from_stream(ReaderStream::with_capacity(file, 64 * 1024));
    let kind = HeaderValue::from_static("application/gzip");
    let headers = [(CONTENT_TYPE, kind), (CONTENT_LENGTH, HeaderValue::from(blob.size))];
    Ok(Some((headers, body).into_response()))
}
