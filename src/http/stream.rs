//! Lists of any length: read from an index a page at a time, sent while they are read, never whole in memory.

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::try_unfold;

use super::error::ApiError;
use super::reply;
use crate::app::App;
use crate::store::{Error, ReadTx};

/// Rows that are read together.
pub const PAGE: usize = 256;

/// Items as JSON text, and the cursor for what follows.
pub type Page<C> = (Vec<String>, Option<C>);

/// What stands around the items.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// `[..]`
    Array,
    /// `{..}`: each item is a member.
    Object,
}

impl Shape {
    const fn brackets(self) -> (&'static str, &'static str) {
        match self {
            Self::Array => ("[", "]\n"),
            Self::Object => ("{", "}\n"),
        }
    }
}

/// The items that `page` yields, beginning with the cursor `from`; `None` when there are none at all. Each page is a
/// snapshot of its own, so that a slow reader keeps no old pages of the database alive.
///
/// # Errors
/// What the first page says. A later failure breaks the answer off and is logged.
pub async fn list<C, F>(
    app: &App,
    shape: Shape,
    from: C,
    page: F,
) -> Result<Option<Response>, ApiError>
where
    C: Send + 'static,
    F: Fn(&ReadTx, C) -> Result<Page<C>, Error> + Clone + Send + Sync + 'static,
{
    let (open, close) = shape.brackets();
    let mut cursor = Some(from);
    let mut first = Vec::new();
    // A page may be empty although another follows.
    while let Some(at) = cursor.take().filter(|_| first.is_empty()) {
        let page = page.clone();
        (first, cursor) = app.scan(move |tx| page(tx, at)).await?;
        if !first.is_empty() {
            break;
        }
    }
    if first.is_empty() {
        return Ok(None);
    }
    let head = format!("{open}{}", first.join(","));
    let Some(next) = cursor else {
        return Ok(Some(reply::json_stream(Body::from(head + close))));
    };
    let app = app.clone();
    let body = try_unfold(Unsent::Head(head, next), move |rest| {
        let (app, page) = (app.clone(), page.clone());
        async move {
            let (text, rest) = match rest {
                Unsent::Head(head, next) => (head, Unsent::Page(next)),
                Unsent::Page(at) => {
                    let (items, next) =
                        app.scan(move |tx| page(tx, at)).await.map_err(|_| Broken)?;
                    let text = items.iter().flat_map(|item| [",", item.as_str()]).collect();
                    (text, next.map_or(Unsent::Close, Unsent::Page))
                }
                Unsent::Close => (close.to_owned(), Unsent::Done),
                Unsent::Done => return Ok::<_, Broken>(None),
            };
            Ok(Some((Bytes::from(text), rest)))
        }
    });
    Ok(Some(reply::json_stream(Body::from_stream(body))))
}

/// What is still to be sent of a list.
enum Unsent<C> {
    Head(String, C),
    Page(C),
    Close,
    Done,
}

/// The list, or an empty one.
pub async fn list_or_empty<C, F>(
    app: &App,
    shape: Shape,
    from: C,
    page: F,
) -> Result<Response, ApiError>
where
    C: Send + 'static,
    F: Fn(&ReadTx, C) -> Result<Page<C>, Error> + Clone + Send + Sync + 'static,
{
    let (open, close) = shape.brackets();
    let empty = || reply::json_stream(Body::from(format!("{open}{close}")));
    Ok(list(app, shape, from, page).await?.unwrap_or_else(empty))
}

/// Why an answer breaks off in the middle; the cause is in the log.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub struct Broken;
