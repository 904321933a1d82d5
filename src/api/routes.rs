//! How a route comes into being: with what a caller must be allowed to do, or not at all.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;

use crate::app::App;
use crate::auth::Action;
use crate::http::caller::{Door, guard};
use crate::http::{ApiError, compression};

/// Handlers with what their guard must know.
pub(super) struct Guarded(Door, MethodRouter<App>);

/// Handlers for callers who may do `action`.
pub(super) const fn may(action: Action, handlers: MethodRouter<App>) -> Guarded {
    Guarded(Door { action, get_takes: false, route: "" }, handlers)
}

/// The same where `GET` changes something: no page of another site may cause it.
pub(super) const fn may_take(action: Action, handlers: MethodRouter<App>) -> Guarded {
    Guarded(Door { action, get_takes: true, route: "" }, handlers)
}

/// A router that takes no route without a guard.
pub(super) struct Routes {
    app: App,
    router: Router<App>,
}

impl Routes {
    pub(super) fn new(app: App) -> Self {
        Self { app, router: Router::new() }
    }

    /// Adds a path with its handlers, grouped by who may call them.
    pub(super) fn at<const N: usize>(mut self, path: &'static str, groups: [Guarded; N]) -> Self {
        let mut handlers = MethodRouter::new();
        for Guarded(door, group) in groups {
            let state = (self.app.clone(), Door { route: path, ..door });
            handlers = handlers.merge(group.route_layer(from_fn_with_state(state, guard)));
        }
        self.router = self.router.route(path, handlers);
        self
    }

    pub(super) fn finish(self) -> Router {
        self.router
            .fallback(async || ApiError::no_route())
            .method_not_allowed_fallback(async || ApiError::method_not_allowed())
            .layer(compression::layer())
            .with_state(self.app)
    }
}
