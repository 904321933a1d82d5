//! Requests of the local administrator: over the admin socket, or straight into a router of this process.

use std::io;
use std::path::Path;

use axum::Router;
pub use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::caller::Local;
use super::edge;

/// What came back.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

/// Calls the API as the local administrator.
pub struct LocalApi(Way);

enum Way {
    Socket(SendRequest<Body>),
    Process(Box<Router>),
}

impl LocalApi {
    /// Connects to the admin socket of a running server.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket).await?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(async move {
            // Its end shows in the next request.
            let _ = connection.await;
        });
        Ok(Self(Way::Socket(sender)))
    }

    /// Uses a router of this process.
    #[must_use]
    pub fn in_process(router: Router) -> Self {
        Self(Way::Process(Box::new(router)))
    }

    /// Stands for data that is not there: answers 404 to everything.
    #[must_use]
    pub fn empty() -> Self {
        Self::in_process(Router::new())
    }

    /// Sends a request and reads the answer whole: admin answers are lists of clients and queues.
    ///
    /// # Errors
    /// A sentence that says how the connection failed.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, String> {
        read_whole(self.request(method, path, body).await?).await
    }

    /// Sends a request whose answer is too large to be read whole; one that is an error is read, though.
    ///
    /// # Errors
    /// A sentence that says how the connection failed.
    pub async fn open(&mut self, method: &str, path: &str) -> Result<Result<Body, Reply>, String> {
        let response = self.request(method, path, None).await?;
        if response.status().is_success() {
            return Ok(Ok(response.into_body()));
        }
        read_whole(response).await.map(Err)
    }

    async fn request(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response, String> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = request.body(body).map_err(|error| error.to_string())?;
        let broken = |error: hyper::Error| format!("the server broke the connection: {error}");
        Ok(match &mut self.0 {
            Way::Socket(sender) => {
                sender.ready().await.map_err(broken)?;
                sender.send_request(request).await.map_err(broken)?.map(Body::new)
            }
            Way::Process(router) => {
                request.extensions_mut().insert(Local);
                edge::answer(router.as_ref().clone(), request).await
            }
        })
    }
}

async fn read_whole(response: Response) -> Result<Reply, String> {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    Ok(Reply { status, body })
}

/// The next piece of a body, empty at its end.
///
/// # Errors
/// When the connection breaks.
pub async fn next_piece(body: &mut Body) -> io::Result<Bytes> {
    loop {
        match body.frame().await {
            None => return Ok(Bytes::new()),
            Some(Err(error)) => return Err(io::Error::other(error)),
            // Empty pieces and trailers say nothing.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) if !bytes.is_empty() => return Ok(bytes),
                _ => {}
            },
        }
    }
}
