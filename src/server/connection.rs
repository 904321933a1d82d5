//! Accepts connections, serves them and ends them.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use uuid::Uuid;

use super::doors::{Doors, Place};
use super::paced::{Paced, Turns};
use super::tls::Tls;
use crate::app::App;
use crate::http::caller::{Local, Peer, Seen};
use crate::http::edge;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long a connection may be silent between requests.
const IDLE: Duration = Duration::from_secs(75);
/// What a connection is told for which there is no place: it is not read, so that it costs nothing.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
    Content-Length: 73\r\nRetry-After: 5\r\nConnection: close\r\n\r\n\
    {\"detail\":{},\"message\":\"The server has too many connections; try again\"}\n";
/// How long a new connection may take to send its first request once the server stops: its client could connect, so it
/// expects an answer.
const FIRST: Duration = Duration::from_secs(1);
/// After how much silence keep-alive probes are sent. Without them a host that vanished would hold its connection for
/// ever.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// A source of connections.
pub(super) trait Listen {
    type Raw: Send + 'static;
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection; `None` for a connection that is refused.
    fn next(&self) -> impl Future<Output = std::io::Result<Option<(Self::Raw, Origin)>>> + Send;

    /// Makes a connection ready for requests. This may take as long as the other side likes, so it must not be waited for where
    /// connections are accepted.
    fn open(
        &self,
        raw: Self::Raw,
    ) -> impl Future<Output = std::io::Result<Self::Stream>> + Send + 'static;
}

/// The network, as far as there are places.
pub(super) struct Network {
    pub(super) listener: TcpListener,
    pub(super) doors: Doors,
    pub(super) tls: Option<Tls>,
}

impl Listen for Network {
    type Raw = TcpStream;
    type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

    async fn next(&self) -> std::io::Result<Option<(TcpStream, Origin)>> {
        let (stream, peer) = self.listener.accept().await?;
        let Some(place) = self.doors.enter(peer) else {
            tracing::debug!(%peer, "a connection was refused: there is no place for it");
            self.doors.refused();
            if self.tls.is_none() {
                let _ = stream.try_write(FULL);
            }
            return Ok(None);
        };
        keep_alive(&stream);
        Ok(Some((stream, Origin::Network(place))))
    }

    fn open(
        &self,
        raw: TcpStream,
    ) -> impl Future<Output = std::io::Result<Self::Stream>> + Send + 'static {
        let tls = self.tls.clone();
        async move {
            Ok(match tls {
                None => Either::Left(raw),
                Some(tls) => Either::Right(Box::new(tls.handshake(raw).await?)),
            })
        }
    }
}

/// What a connection talks to.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) router: Router,
    pub(super) app: App,
}

/// Accepts connections until `stop` is cancelled, and breaks them off when `abort` is.
pub(super) async fn accept(
    listener: impl Listen,
    service: Service,
    tasks: TaskTracker,
    (stop, abort): (CancellationToken, CancellationToken),
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.next() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok(None) => {}
            Ok(Some((raw, from))) => {
                let opening = listener.open(raw);
                let (service, stop) = (service.clone(), stop.clone());
                let serving = async move {
                    match opening.await {
                        Ok(stream) => serve(stream, from, service, stop).await,
                        Err(error) => tracing::debug!(%error, "a connection did not open"),
                    }
                };
                let abort = abort.clone();
                tasks.spawn(async move {
                    tokio::select! {
                        () = serving => {}
                        () = abort.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Mostly there are no file descriptors left, and some will be free soon.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn keep_alive(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let probes = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
    let _ = socket2::SockRef::from(stream).set_tcp_keepalive(&probes);
}

/// Where a connection comes from.
pub(super) enum Origin {
    Network(Place),
    /// The admin socket.
    Socket,
}

/// Serves one connection until it ends. Once `stop` is cancelled, it ends when the request in flight has been answered.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    from: Origin,
    service: Service,
    stop: CancellationToken,
) {
    let peer = match &from {
        Origin::Network(place) => Some(place.peer),
        Origin::Socket => None,
    };
    let asked = CancellationToken::new();
    let first = asked.clone();
    let turns = Turns::default();
    let stream = Paced::new(stream, turns.clone());
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        first.cancel();
        let service = service.clone();
        let mut request = request.map(Body::new);
        match peer {
            Some(peer) => request.extensions_mut().insert(Peer(peer.ip())).map(|_| ()),
            None => request.extensions_mut().insert(Local).map(|_| ()),
        };
        let turns = turns.clone();
        turns.next();
        async move {
            let response = answer(service, request).await;
            turns.next();
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let leave = async {
        stop.cancelled().await;
        let _ = tokio::time::timeout(FIRST, asked.cancelled()).await;
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = leave => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(?peer, %error, "a connection broke off");
    }
}

/// Answers a request. Its id goes out as a header and into every line of the log that is written on its behalf.
async fn answer(Service { router, app }: Service, request: Request) -> Response {
    let id = request_id();
    let span = tracing::info_span!("request", id);
    let mut response = answer_in(router, app, request).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn answer_in(router: Router, app: App, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let begun = Instant::now();
    let response = edge::answer(router, request).await;
    let (took, status) = (begun.elapsed(), response.status().as_u16());
    let seen = response.extensions().get::<Seen>();
    let route = seen.map(|seen| seen.route);
    app.metrics().answered(method.as_str(), route, status, took);
    if let Some(limit) = limit(&response) {
        app.metrics().refused(limit);
    }
    let caller = seen.map(|seen| &*seen.caller).filter(|name| !name.is_empty());
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::debug!(%method, path, route, caller, status, micros, "request");
    response
}

/// An id that no other request of this server has.
fn request_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The limit because of which a request was refused.
fn limit(response: &Response) -> Option<&'static str> {
    match response.status() {
        StatusCode::REQUEST_TIMEOUT => Some("pace"),
        StatusCode::PAYLOAD_TOO_LARGE => Some("size"),
        StatusCode::TOO_MANY_REQUESTS => Some("failed_logins"),
        StatusCode::INSUFFICIENT_STORAGE => Some("disk"),
        StatusCode::SERVICE_UNAVAILABLE if response.headers().contains_key(RETRY_AFTER) => {
            Some("busy")
        }
        _ => None,
    }
}
