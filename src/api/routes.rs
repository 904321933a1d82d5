//! How a route comes into being: with what a caller must be allowed to do and with a description, or not at all.

use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter};
use axum::{Extension, Router};

use super::openapi::{Document, Route};
use crate::app::App;
use crate::auth::Action;
use crate::http::caller::{Door, guard};
use crate::http::describe::{Described, Operation};
use crate::http::{ApiError, compression};

/// Handlers of one path, and what they are.
#[derive(Default)]
pub(super) struct Handlers {
    router: MethodRouter<App>,
    operations: Vec<(&'static str, Operation)>,
}

macro_rules! verbs {
    ($($verb:ident $name:literal $filter:ident;)*) => {
        $(
            #[doc = concat!("A handler of `", $name, "`.")]
            pub(super) fn $verb<H, T>(handler: H) -> Handlers
            where
                H: Handler<T, App> + Described<T>,
                T: 'static,
            {
                Handlers::default().$verb(handler)
            }
        )*

        impl Handlers {
            $(
                #[doc = concat!("The same with a handler of `", $name, "`.")]
                pub(super) fn $verb<H, T>(mut self, handler: H) -> Self
                where
                    H: Handler<T, App> + Described<T>,
                    T: 'static,
                {
                    self.router = self.router.on(MethodFilter::$filter, handler);
                    self.operations.push(($name, H::operation()));
                    self
                }
            )*
        }
    };
}

verbs! {
    get "GET" GET;
    post "POST" POST;
    put "PUT" PUT;
    delete "DELETE" DELETE;
}

impl Handlers {
    /// The same with a handler of `HEAD`, where that of `GET` would have an effect.
    pub(super) fn head<H, T>(mut self, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.router = self.router.on(MethodFilter::HEAD, handler);
        self
    }
}

/// Handlers with what their guard must know.
pub(super) struct Guarded(Door, Handlers);

/// Handlers for callers who may do `action`.
pub(super) const fn may(action: Action, handlers: Handlers) -> Guarded {
    Guarded(Door { action, get_takes: false, route: "" }, handlers)
}

/// The same where `GET` changes something: no page of another site may cause it.
pub(super) const fn may_take(action: Action, handlers: Handlers) -> Guarded {
    Guarded(Door { action, get_takes: true, route: "" }, handlers)
}

/// A router that takes no route without a guard.
pub(super) struct Routes {
    app: App,
    router: Router<App>,
    described: Vec<Route>,
}

impl Routes {
    pub(super) fn new(app: App) -> Self {
        Self { app, router: Router::new(), described: Vec::new() }
    }

    /// Adds a path with its handlers, grouped by who may call them.
    pub(super) fn at<const N: usize>(mut self, path: &'static str, groups: [Guarded; N]) -> Self {
        let mut handlers = MethodRouter::new();
        for Guarded(door, group) in groups {
            let state = (self.app.clone(), Door { route: path, ..door });
            let guarded = group.router.route_layer(from_fn_with_state(state, guard));
            handlers = handlers.merge(guarded);
            let describe =
                |(method, operation)| Route { method, path, action: door.action, operation };
            self.described.extend(group.operations.into_iter().map(describe));
        }
        self.router = self.router.route(path, handlers);
        self
    }

    pub(super) fn finish(self) -> Router {
        self.router
            .fallback(async || ApiError::no_route())
            .method_not_allowed_fallback(async || ApiError::method_not_allowed())
            .layer(compression::layer())
            .layer(Extension(Document::of(self.described)))
            .with_state(self.app)
    }
}
