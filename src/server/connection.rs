//! Connections: accepted, served, ended.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::http::edge;

/// How long a connection may be silent between requests, or take to send a request's head.
const IDLE: Duration = Duration::from_secs(75);
/// Without keep-alive probes a host that vanished would hold its connection for ever.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// Accepts connections until `stop`; breaks them off at `abort`.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    tasks: TaskTracker,
    (stop, abort): (CancellationToken, CancellationToken),
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, stop, abort) = (router.clone(), stop.clone(), abort.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        () = serve(stream, peer, router, stop) => {}
                        () = abort.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: others will close soon.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let probes = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
    let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&probes);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(answer(router, request.map(Body::new)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke off");
    }
}

async fn answer(router: Router, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let begun = Instant::now();
    let response = match edge::clean_path(request) {
        Err(response) => response,
        Ok(request) => match router.oneshot(request).await {
            Ok(response) => edge::complete_allow(&method, response),
            Err(never) => match never {},
        },
    };
    tracing::debug!(
        %method,
        path,
        status = response.status().as_u16(),
        micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
        "request"
    );
    response
}
