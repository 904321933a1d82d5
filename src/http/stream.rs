//! Lists of any length: read from an index a page at a time, sent while they are read, never whole in memory.

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::try_unfold;

use super::error::ApiResult;
use super::reply;
use crate::app::App;
use crate::ops::{Error, Page};
use crate::store::ReadTx;

/// Rows that are read together.
const PAGE: usize = 256;

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

/// All items of a list, which `page` yields a page at a time and `show` turns into JSON text; `None` when there are none.
/// Each page is a snapshot of its own, so that a slow reader keeps no old pages of the database alive.
///
/// # Errors
/// What the first page says. A later failure breaks the answer off and is logged.
pub async fn list<T, C, P, S>(
    app: &App,
    shape: Shape,
    page: P,
    show: S,
) -> ApiResult<Option<Response>>
where
    C: Send + 'static,
    P: Fn(&ReadTx, Option<C>, usize) -> Result<Page<T, C>, Error> + Clone + Send + Sync + 'static,
    S: Fn(&T) -> String + Clone + Send + Sync + 'static,
{
    let texts = move |tx: &ReadTx, after| {
        let Page { items, next } = page(tx, after, PAGE)?;
        Ok::<_, Error>((items.iter().map(&show).collect::<Vec<_>>(), next))
    };
    let (open, close) = shape.brackets();
    let read = texts.clone();
    let (mut first, mut next) = app.scan(move |tx| read(tx, None)).await?;
    // A page may be empty although another follows.
    while first.is_empty() && next.is_some() {
        let read = texts.clone();
        (first, next) = app.scan(move |tx| read(tx, next)).await?;
    }
    if first.is_empty() {
        return Ok(None);
    }
    let head = format!("{open}{}", first.join(","));
    let Some(next) = next else {
        return Ok(Some(reply::json_stream(Body::from(head + close))));
    };
    let app = app.clone();
    let body = try_unfold(Unsent::Head(head, next), move |unsent| {
        let (app, read) = (app.clone(), texts.clone());
        async move {
            let (text, unsent) = match unsent {
                Unsent::Head(head, next) => (head, Unsent::Page(next)),
                Unsent::Page(after) => {
                    let read = app.scan(move |tx| read(tx, Some(after)));
                    let (items, next) = read.await.map_err(|_| Broken)?;
                    let text = items.iter().flat_map(|item| [",", item.as_str()]).collect();
                    (text, next.map_or(Unsent::Close, Unsent::Page))
                }
                Unsent::Close => (close.to_owned(), Unsent::Done),
                Unsent::Done => return Ok::<_, Broken>(None),
            };
            Ok(Some((Bytes::from(text), unsent)))
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
///
/// # Errors
/// What the first page says.
pub async fn list_or_empty<T, C, P, S>(
    app: &App,
    shape: Shape,
    page: P,
    show: S,
) -> ApiResult<Response>
where
    C: Send + 'static,
    P: Fn(&ReadTx, Option<C>, usize) -> Result<Page<T, C>, Error> + Clone + Send + Sync + 'static,
    S: Fn(&T) -> String + Clone + Send + Sync + 'static,
{
    let (open, close) = shape.brackets();
    let empty = || reply::json_stream(Body::from(format!("{open}{close}")));
    Ok(list(app, shape, page, show).await?.unwrap_or_else(empty))
}

/// Why an answer breaks off in the middle; the cause is in the log.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub struct Broken;
