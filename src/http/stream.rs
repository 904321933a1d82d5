//! Lists of any length: read from an index a page at a time, sent while they are read, never whole in memory.

use axum::body::Body;
use futures_util::stream::try_unfold;

use super::answer::Answer;
use super::error::ApiResult;
use super::reply;
use super::shape::{Kind, Output};
use crate::app::App;
use crate::ops::{Error, Page};
use crate::store::ReadTx;

/// Rows that a snapshot is read for.
const PAGE: usize = 256;
/// Rows that are read together at most. The first ones are read one by one, because they may be large.
const STEP: usize = 8;
/// Bytes after which a page is full, however few rows it has: an agent may say much about itself.
const FULL: usize = 64 << 10;

/// What stands around the items of an answer.
const fn brackets<L: Output>() -> (&'static str, &'static str) {
    match L::KIND {
        Kind::List { .. } => ("[", "]\n"),
        _ => ("{", "}\n"),
    }
}

/// All items of a list or a map, which `page` yields a page at a time and `show` turns into JSON text; `None` when there are none.
/// Each page is a snapshot of its own, so that a slow reader keeps no old pages of the database alive.
///
/// # Errors
/// What the first page says. A later failure breaks the answer off and is logged.
pub async fn list<L, T, C, P, S>(app: &App, page: P, show: S) -> ApiResult<Option<Answer<L>>>
where
    L: Output,
    C: Send + 'static,
    P: Fn(&ReadTx, Option<C>, usize) -> Result<Page<T, C>, Error> + Clone + Send + Sync + 'static,
    S: Fn(&T) -> String + Clone + Send + Sync + 'static,
{
    let texts = move |tx: &ReadTx, mut after| {
        let (mut texts, mut size) = (Vec::new(), 0);
        loop {
            let Page { items, next } = page(tx, after, texts.len().clamp(1, STEP))?;
            for text in items.iter().map(&show) {
                size += text.len();
                texts.push(text);
            }
            if next.is_none() || texts.len() >= PAGE || size >= FULL {
                return Ok::<_, Error>((texts, next));
            }
            after = next;
        }
    };
    let (open, close) = brackets::<L>();
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
        return Ok(Some(reply::json_stream(Body::from(head + close)).into()));
    };
    let app = app.clone();
    drop(first);
    let body = try_unfold(Unsent::Head(head, next), move |unsent| {
        let (app, read) = (app.clone(), texts.clone());
        async move {
            let (text, unsent) = match unsent {
                Unsent::Head(head, next) => (head, Unsent::Page(next)),
                Unsent::Page(after) => {
                    app.budget().room().await;
                    let read = app.scan(move |tx| read(tx, Some(after)));
                    let (items, next) = read.await.map_err(|_| Broken)?;
                    let text = items.iter().flat_map(|item| [",", item.as_str()]).collect();
                    (text, next.map_or(Unsent::Close, Unsent::Page))
                }
                Unsent::Close => (close.to_owned(), Unsent::Done),
                Unsent::Done => return Ok::<_, Broken>(None),
            };
            Ok(Some((app.budget().track(text), unsent)))
        }
    });
    Ok(Some(reply::json_stream(Body::from_stream(body)).into()))
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
pub async fn list_or_empty<L, T, C, P, S>(app: &App, page: P, show: S) -> ApiResult<Answer<L>>
where
    L: Output,
    C: Send + 'static,
    P: Fn(&ReadTx, Option<C>, usize) -> Result<Page<T, C>, Error> + Clone + Send + Sync + 'static,
    S: Fn(&T) -> String + Clone + Send + Sync + 'static,
{
    let (open, close) = brackets::<L>();
    let empty = || reply::json_stream(Body::from(format!("{open}{close}"))).into();
    Ok(list(app, page, show).await?.unwrap_or_else(empty))
}

/// Why an answer breaks off in the middle; the cause is in the log.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub struct Broken;
